import { Drawer, Modal } from "antd";
import { useEffect, useState, type ReactNode } from "react";
import { Button } from "./Button";
import { Field, TextInput } from "./Texts";
import { useWords } from "./words";

/** A drawer at the right: a peek at a row, or a form. Escape closes it and focus goes back. */
export function Peek(props: { open: boolean; onClose: () => void; title: ReactNode; children: ReactNode; foot?: ReactNode; width?: number; actions?: ReactNode }): ReactNode {
  const { open, onClose, title, children, foot, width = 432, actions } = props;
  const say = useWords();
  return (
    <Drawer
      open={open}
      onClose={onClose}
      size={Math.min(width, window.innerWidth)}
      title={title}
      closable={false}
      destroyOnHidden
      extra={
        <span className="k-row">
          {actions}
          <Button kind="quiet" size="small" icon="close" label={say("close")} onClick={onClose} />
        </span>
      }
      footer={foot ? <div className="k-row k-row-end">{foot}</div> : null}
      styles={{ body: { padding: 16 }, header: { padding: "10px 16px" } }}
    >
      {children}
    </Drawer>
  );
}

/** A dialog; never over another one. */
export function Dialog(props: { open: boolean; onClose: () => void; title: ReactNode; children: ReactNode; foot?: ReactNode; width?: number }): ReactNode {
  const { open, onClose, title, children, foot = null, width = 520 } = props;
  return (
    <Modal open={open} onCancel={onClose} title={title} footer={foot ? <div className="k-row k-row-end">{foot}</div> : null} width={width} destroyOnHidden>
      {children}
    </Modal>
  );
}

export interface ConfirmProps {
  open: boolean;
  onClose: () => void;
  onConfirm: () => void | Promise<void>;
  title: ReactNode;
  /** What will have happened afterwards, in numbers. */
  consequence: ReactNode;
  /** The verb with its object, as "Roll back to r127". */
  action: ReactNode;
  kind?: "production" | "danger" | "primary";
  /** A name that has to be typed first. */
  typed?: string;
  saferChoice?: ReactNode;
  busy?: boolean;
  children?: ReactNode;
  error?: ReactNode;
}

/** Asks before what cannot be taken back or changes production: the consequence in numbers, and the name typed. */
export function Confirm(props: ConfirmProps): ReactNode {
  const { open, onClose, onConfirm, title, consequence, action, kind = "danger", typed, saferChoice, busy = false, children, error } = props;
  const say = useWords();
  const [text, setText] = useState("");
  useEffect(() => setText(""), [open]);
  const ready = typed === undefined || text === typed;
  return (
    <Dialog
      open={open}
      onClose={onClose}
      title={title}
      foot={
        <>
          <Button onClick={onClose}>{say("cancel")}</Button>
          {saferChoice}
          <Button kind={kind} busy={busy} disabled={!ready} reason={ready ? undefined : say("typeToConfirm", { name: typed ?? "" })} onClick={() => void onConfirm()}>
            {action}
          </Button>
        </>
      }
    >
      <div className="k-confirm">
        <p>{consequence}</p>
        {children}
        {typed !== undefined && (
          <Field label={say("typeToConfirm", { name: typed })}>
            {(ids) => <TextInput {...ids} mono value={text} onChange={setText} onEnter={() => ready && !busy && void onConfirm()} />}
          </Field>
        )}
        {error}
      </div>
    </Dialog>
  );
}
