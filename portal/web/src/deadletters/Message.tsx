import type { ReactNode } from "react";
import type { MessageView } from "../api";
import { bytes, Facts, Note } from "../kit";
import { CodeEditor } from "../kit/parts";
import { useText } from "../shell";

/** A message as it lies in the store: its headers, and its body where that is not shown beside it already. */
export function Message({ message, bodyShown = false }: { message: MessageView; bodyShown?: boolean }): ReactNode {
  const say = useText("deadletters");
  const names = Object.keys(message.headers);
  return (
    <div className="k-stack">
      {message.unread && <Note hue="warn" title={say("unread")}>{message.unread}</Note>}
      {!message.whole && <Note hue="warn">{say("cut")}</Note>}
      <div>
        <h4 className="d-label">{say("headers")}</h4>
        {names.length ? (
          <Facts items={names.map((name) => [<code key="n">{name}</code>, <span key="v" className="k-mono d-value">{message.headers[name]}{message.binary.includes(name) && <span className="k-quiet"> base64</span>}</span>])} />
        ) : (
          <p className="k-quiet">{say("noHeaders")}</p>
        )}
      </div>
      {!bodyShown && <div>
        <h4 className="d-label">{say("body")} <span className="k-quiet">{say(`format.${message.format}`)} · {bytes(message.size)}</span></h4>
        <CodeEditor readOnly label={say("body")} value={message.body} language={message.format === "json" ? "json" : "text"} />
      </div>}
    </div>
  );
}
