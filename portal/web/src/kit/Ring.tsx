import type { ReactNode } from "react";
import { usePartWords } from "./parts.words";
import { arcPath, middleOf, MOST_SEGMENTS, segmentsOf, sharesOf, type Arc } from "./ring";
import { Glyph, type Hue } from "./Status";
import "./parts.css";

export interface RingInstance {
  key: string;
  name: string;
  /** The key of the share it belongs to. */
  share: string;
}

export interface RingShare {
  key: string;
  /** The word of this share, as "applied", "refused", "waiting". */
  word: string;
  hue: Hue;
  /** Needed where instances are not listed one by one. */
  count?: number;
  running?: boolean;
}

export interface RingProps {
  /** All shares, the one that counts as done first. Shares with none stay in the words below, as 0. */
  shares: RingShare[];
  /** One by one; over a hundred they are drawn as arcs of share. */
  instances?: RingInstance[];
  /** Under the numbers, as "applied r129". */
  caption: string;
  size?: number;
  onSelect?: (share: string) => void;
}

/** Who has it: a segment for each instance, failed ones longer and crossed, the numbers inside, the words below. */
export function Ring(props: RingProps): ReactNode {
  const { shares, instances, caption, size = 132, onSelect } = props;
  const say = usePartWords();
  const counts = shares.map((share) => share.count ?? instances?.filter((one) => one.share === share.key).length ?? 0);
  const total = counts.reduce((sum, one) => sum + one, 0);
  const done = counts[0] ?? 0;
  const failed = shares.flatMap((share) => (share.hue === "bad" ? (instances ?? []).filter((one) => one.share === share.key).map((one) => one.name) : []));
  const words = shares.map((share, place) => `${counts[place]} ${share.word}`).join(", ");
  const sentence = `${say("of", { count: done, total })} ${caption}: ${words}${failed.length > 0 ? ` (${failed.slice(0, 5).join(", ")}${failed.length > 5 ? ` ${say("andMore", { count: failed.length - 5 })}` : ""})` : ""}`;
  const each = instances !== undefined && instances.length <= MOST_SEGMENTS && instances.length === total;
  const hueOf = new Map(shares.map((share) => [share.key, share.hue]));
  const parts: { key: string; hue: Hue; arc: Arc; title: string }[] = each
    ? segmentsOf(instances.length).map((arc, place) => {
        const one = instances[place]!;
        return { key: one.key, hue: hueOf.get(one.share) ?? "idle", arc, title: `${one.name} · ${shares.find((share) => share.key === one.share)?.word ?? ""}` };
      })
    : sharesOf(counts).map((arc, place) => ({ key: shares[place]!.key, hue: shares[place]!.hue, arc, title: `${counts[place]} ${shares[place]!.word}` }));
  const center = 70;
  const long = done.toLocaleString("en-US").length + total.toLocaleString("en-US").length;
  return (
    <div className="kp-ring">
      <svg width={size} height={size} viewBox="0 0 140 140" role="img" aria-label={sentence}>
        {total === 0 && <path className="kp-ring-none" d={arcPath(center, 48, 62, { from: 0, to: Math.PI * 2 })} fillRule="evenodd" />}
        {parts.map((part) => part.arc.to > part.arc.from && <Segment key={part.key} hue={part.hue} arc={part.arc} title={part.title} center={center} />)}
        <text x={center} y={74} textAnchor="middle" className={`kp-ring-number${long > 9 ? " kp-ring-long" : long > 6 ? " kp-ring-mid" : ""}`}>
          {done.toLocaleString("en-US")}
          <tspan className="kp-ring-total">/{total.toLocaleString("en-US")}</tspan>
        </text>
        <text x={center} y={90} textAnchor="middle" className="kp-ring-caption">{caption}</text>
      </svg>
      <ul className="kp-ring-words">
        {shares.map((share, place) => (
          <li key={share.key} className={`k-${share.hue}`}>
            <Glyph hue={share.hue} running={share.running ?? false} />
            {onSelect ? (
              <button type="button" className="kp-link" onClick={() => onSelect(share.key)}>{counts[place]!.toLocaleString("en-US")} {share.word}</button>
            ) : (
              <span>{counts[place]!.toLocaleString("en-US")} {share.word}</span>
            )}
          </li>
        ))}
      </ul>
    </div>
  );
}

function Segment({ hue, arc, title, center }: { hue: Hue; arc: Arc; title: string; center: number }): ReactNode {
  const bad = hue === "bad";
  const wide = (arc.to - arc.from) * 58;
  const at = middleOf(center, 57, arc);
  const arm = Math.min(3.2, wide / 3.5);
  return (
    <g>
      <title>{title}</title>
      <path className={`kp-ring-part k-${hue}${hue === "idle" || hue === "info" ? " kp-ring-hollow" : ""}`} d={arcPath(center, bad ? 46 : 48, bad ? 68 : 62, arc)} fillRule="evenodd" />
      {bad && arm > 0.8 && (
        <path className="kp-ring-cross" d={`M${at.x - arm} ${at.y - arm}l${arm * 2} ${arm * 2}M${at.x + arm} ${at.y - arm}l${-arm * 2} ${arm * 2}`} />
      )}
    </g>
  );
}
