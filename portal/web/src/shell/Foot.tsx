import { useEffect, useState, type ReactNode } from "react";
import { Button, Copy, Kbd, StatusTag, Time } from "../kit";
import { useBackend, type StreamHealth } from "./backend";
import { useText } from "./i18n";
import { usePageSaid } from "./page";

/** The foot: how live the page is, and the line that does the same elsewhere. */
export function Foot({ onKeys }: { onKeys: () => void }): ReactNode {
  const say = useText("shell");
  const page = usePageSaid();
  return (
    <footer className="s-foot">
      <Live />
      {page.readAt ? (
        <span className="s-foot-age">
          {say("foot.read")} <Time at={page.readAt} />
        </span>
      ) : null}
      <span className="k-grow" />
      {page.cli && <code className="s-foot-cli" title={page.cli}>$ {page.cli}</code>}
      {page.cli && <Copy text={page.cli}>{say("foot.copyCli")}</Copy>}
      {page.api && <Copy text={page.api}>{say("foot.copyApi")}</Copy>}
      <button type="button" className="s-foot-keys" onClick={onKeys}>
        <Kbd keys="?" /> {say("foot.keys")}
      </button>
    </footer>
  );
}

function Live(): ReactNode {
  const say = useText("shell");
  const backend = useBackend();
  const [health, setHealth] = useState<StreamHealth>({ state: "connecting", heard: 0 });
  useEffect(() => backend.stream(setHealth), [backend]);
  if (health.state === "live") {
    return (
      <StatusTag hue="ok">
        {say("foot.live")}
        {health.delay !== undefined ? ` ${health.delay} ms` : ""}
      </StatusTag>
    );
  }
  if (health.state === "connecting") return <StatusTag hue="idle">{say("foot.connecting")}</StatusTag>;
  return (
    <span className="k-row" role="status">
      <StatusTag hue="warn" boxed>{say("foot.lost")}</StatusTag>
      <span className="k-quiet s-foot-age">
        {say("foot.mayBeOld")} {health.heard ? <Time at={health.heard} /> : null}
      </span>
      <Button size="small" kind="quiet" icon="refresh" label={say("boundary.reload")} onClick={() => window.location.reload()} />
    </span>
  );
}
