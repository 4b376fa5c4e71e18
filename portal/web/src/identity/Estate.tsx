import { useState, type ReactNode } from "react";
import { failureOf, useDo } from "../api";
import { Button, ErrorState, Field, TextInput } from "../kit";
import { NAME, useText } from "../shell";

/** The form of what has a name and a title: a tenant, an environment, a center. */
export function Named(props: { make: (name: string, title: string) => Promise<unknown>; onMade: (name: string) => void; action: string; failed: string; nameHint: string; children?: ReactNode }): ReactNode {
  const { make: work, onMade, action, failed, nameHint, children } = props;
  const say = useText("identity");
  const [name, setName] = useState("");
  const [title, setTitle] = useState("");
  const [tried, setTried] = useState(false);
  const make = useDo(() => work(name, title));
  return (
    <form onSubmit={(event) => { event.preventDefault(); setTried(true); if (NAME.test(name)) make.mutate(undefined, { onSuccess: () => onMade(name) }); }}>
      <Field label={say("estate.name")} hint={nameHint} error={tried && !NAME.test(name) ? say("nameBad") : undefined} required>
        {(ids) => <TextInput {...ids} mono value={name} onChange={setName} maxLength={64} autoFocus />}
      </Field>
      <Field label={say("estate.titleLabel")} hint={say("estate.titleHint")}>
        {(ids) => <TextInput {...ids} value={title} onChange={setTitle} maxLength={128} />}
      </Field>
      {children}
      {make.error && <ErrorState failure={failureOf(make.error, failed)} />}
      <Button kind="primary" type="submit" busy={make.isPending}>{action}</Button>
    </form>
  );
}

/** Changes a title. */
export function Titled({ before, save: work, onDone }: { before: string; save: (title: string) => Promise<unknown>; onDone: () => void }): ReactNode {
  const say = useText("identity");
  const [title, setTitle] = useState(before);
  const save = useDo(() => work(title));
  return (
    <form className="i-inline" onSubmit={(event) => { event.preventDefault(); save.mutate(undefined, { onSuccess: onDone }); }}>
      <Field label={say("estate.titleLabel")}>{(ids) => <TextInput {...ids} value={title} onChange={setTitle} maxLength={128} />}</Field>
      <Button type="submit" busy={save.isPending} disabled={title === before} reason={say("estate.sameTitle")}>{say("save")}</Button>
      {save.error && <ErrorState failure={failureOf(save.error, say("estate.unchanged"))} />}
    </form>
  );
}

