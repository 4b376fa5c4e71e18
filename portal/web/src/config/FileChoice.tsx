import type { ReactNode } from "react";
import { Icon } from "../kit";
import { useText } from "../shell";

/** Choose a file: the button is the portal's own, in its language. */
export function FileChoice({ name, onChoose, ...ids }: { id?: string; "aria-label"?: string; "aria-describedby"?: string; name: string | undefined; onChoose: (file: File | undefined) => void }): ReactNode {
  const say = useText("config");
  return (
    <span className="k-row c-file">
      <input {...ids} type="file" onChange={(event) => onChoose(event.target.files?.[0])} />
      <span className="k-button k-button-default" aria-hidden="true">
        <Icon name="upload" size={14} /> <span>{say("create.chooseFile")}</span>
      </span>
      {name && <code className="k-ellipsis">{name}</code>}
    </span>
  );
}
