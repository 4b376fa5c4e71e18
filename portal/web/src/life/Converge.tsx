import type { Convergence, ConvergenceInstance } from "../api";
import type { ReactNode } from "react";
import { Copy, duration, Glyph, Pane, Skeleton, StatusTag, type Hue } from "../kit";
import { Ring, type RingShare } from "../kit/parts";
import { StripPlot } from "../kit/parts";
import { useText } from "../shell";
import { revisionOf } from "./types";

const SHOWN = 200;

type Share = "applied" | "refused" | "waiting";
export const shareOf = (one: ConvergenceInstance): Share => (one.status === "failed" || one.status === "rejected" ? "refused" : one.current ? "applied" : "waiting");
const ORDER: Record<Share, number> = { refused: 0, waiting: 1, applied: 2 };
const HUES: Record<Share, Hue> = { applied: "ok", refused: "bad", waiting: "info" };

/** A revision on its way to the instances: how many have it, how long each took, and who refused it and why. */
export function Converge({ reach, revision, names }: { reach: Convergence | undefined; revision: number; names?: Set<string> | undefined }): ReactNode {
  const say = useText("life");
  if (!reach) return <Skeleton rows={6} />;
  const all = names ? reach.instances.filter((one) => names.has(one.name)) : reach.instances;
  const shares: RingShare[] = (["applied", "refused", "waiting"] as const).map((key) => ({ key, hue: HUES[key], word: say(`converge.${key}`), running: key === "waiting", ...(all.length < reach.total && !names ? { count: key === "applied" ? reach.current : key === "refused" ? reach.failed : Math.max(0, reach.behind - reach.failed) } : {}) }));
  const slowest = all.reduce<ConvergenceInstance | undefined>((found, one) => ((one.ms ?? -1) > (found?.ms ?? -1) ? one : found), undefined);
  return (
    <div className="l-converge">
      <Pane label={say("converge.title")} width={190} grow={false}>
        <div className="l-ring">
          <Ring shares={shares} instances={all.map((one) => ({ key: one.name, name: one.name, share: shareOf(one) }))} caption={say("converge.caption", { revision })} />
        </div>
      </Pane>
      <Pane title={say("converge.time")} note={say("converge.timeNote")} width={400} grow={false}>
        <div className="l-strip">
          {all.length === 0 ? (
            <p className="k-quiet">{say("noInstances")}</p>
          ) : (
            <StripPlot label={say("converge.time")} points={all.filter((one) => one.ms !== null || shareOf(one) === "waiting").map((one) => ({ key: one.name, name: one.name, row: one.cluster || "—", ms: shareOf(one) === "waiting" ? null : one.ms }))} />
          )}
          <p className="k-row l-wrap">
            {/* what is drawn says its own; where only some are, the server says it of all */}
            {!names && all.length < reach.total && (
              <>
                <span className="k-quiet">p50</span> <strong>{reach.p50_ms === null || reach.p50_ms === undefined ? "—" : duration(reach.p50_ms)}</strong>
                <span className="k-quiet">p99</span> <strong>{reach.p99_ms === null || reach.p99_ms === undefined ? "—" : duration(reach.p99_ms)}</strong>
              </>
            )}
            {slowest?.ms !== undefined && slowest.ms !== null && all.length > 1 && <span className="k-quiet">{say("converge.slowest")} <code>{slowest.name}</code> {duration(slowest.ms)}</span>}
          </p>
        </div>
      </Pane>
      <Pane title={say("converge.instances")} note={say("converge.instancesNote", { count: all.length })} grow>
        <Arrivals instances={all} revision={revision} />
      </Pane>
    </div>
  );
}

/** A revision at each instance: those that refused it first, with their reason, then by the time that it took. */
export function Arrivals({ instances, revision }: { instances: ConvergenceInstance[]; revision: number }): ReactNode {
  const say = useText("life");
  const sorted = [...instances].sort((one, other) => ORDER[shareOf(one)] - ORDER[shareOf(other)] || (other.ms ?? 0) - (one.ms ?? 0));
  return (
    <>
      <table className="l-table">
        <thead>
          <tr><th>{say("instances.name")}</th><th>{say("instances.cluster")}</th><th className="l-number">{say("columns.revision")}</th><th className="l-number">{say("converge.appliedIn")}</th><th>{say("columns.state")}</th></tr>
        </thead>
        <tbody>
          {sorted.slice(0, SHOWN).map((one) => <Line key={one.name} one={one} revision={revision} />)}
          {sorted.length === 0 && <tr><td colSpan={5} className="k-quiet">{say("instances.noneText")}</td></tr>}
        </tbody>
      </table>
      {sorted.length > SHOWN && <p className="l-none k-quiet">{say("converge.more", { count: sorted.length - SHOWN })}</p>}
    </>
  );
}

function Line({ one, revision }: { one: ConvergenceInstance; revision: number }): ReactNode {
  const say = useText("life");
  const share = shareOf(one);
  const at = revisionOf(one.position);
  return (
    <>
      <tr className={share === "refused" ? "l-refused" : undefined}>
        <td><span className="k-mono k-ellipsis" title={one.name}>{one.name}</span></td>
        <td><code>{one.cluster || "—"}</code></td>
        <td className="l-number k-mono">{at ? `r${at}` : "—"}</td>
        <td className="l-number">{one.ms !== null && one.ms !== undefined && one.current ? duration(one.ms) : "—"}</td>
        <td><StatusTag hue={HUES[share]} running={share === "waiting"}>{say(`converge.${share}`)}</StatusTag></td>
      </tr>
      {share === "refused" && (
        <tr className="l-refused">
          <td colSpan={5}>
            <p className="l-refusal"><Glyph hue="bad" /> <code>{one.error || say("converge.noReason")}</code> {one.error && <Copy text={one.error} />}</p>
            {/* a rejected content was never swapped in: the instance goes on with the one before. A failed callback ran after the swap. */}
            <p>{one.status === "rejected" ? (at && at !== revision ? <strong>{say("converge.keeps", { revision: at })}</strong> : say("converge.keepsOld")) : say("converge.callback")}</p>
          </td>
        </tr>
      )}
    </>
  );
}
