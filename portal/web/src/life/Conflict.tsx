import type { ReactNode } from "react";
import { Button, Dialog, Note, Time } from "../kit";
import { useText } from "../shell";
import type { Conflict } from "./resource";

/** Somebody else saved first: both texts, and what to do with mine. */
export function Conflicting<B>({ conflict, onSettle, busy }: { conflict: Conflict<B> | null; onSettle: (how: "theirs" | "mine" | "later") => void; busy: boolean }): ReactNode {
  const say = useText("life");
  if (!conflict) return null;
  const { theirs, mine } = conflict;
  const body = (theirs.state === "published" || theirs.state === "removed" ? theirs.published : theirs.draft) as B | null;
  return (
    <Dialog
      open
      onClose={() => onSettle("later")}
      title={say("conflict.title", { what: mine.what })}
      width={820}
      foot={
        <>
          <Button onClick={() => onSettle("later")}>{say("conflict.later")}</Button>
          <Button onClick={() => onSettle("theirs")}>{say("conflict.theirs")}</Button>
          <Button kind="danger" busy={busy} onClick={() => onSettle("mine")}>{say("conflict.mine")}</Button>
        </>
      }
    >
      <Note hue="warn">
        {theirs.edited_by ? say("conflict.who", { name: theirs.edited_by }) : say("conflict.published", { revision: theirs.revision })} {theirs.edited_at > 0 && <Time at={theirs.edited_at} />}
      </Note>
      <div className="l-both">
        <div>
          <h3>{say("conflict.theirsText")}</h3>
          <pre>{mine.theirs(body) || "—"}</pre>
        </div>
        <div>
          <h3>{say("conflict.mineText")}</h3>
          <pre>{mine.mine || "—"}</pre>
        </div>
      </div>
    </Dialog>
  );
}
