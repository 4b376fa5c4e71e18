// each by its own path: together they bring what none of them needs, buttons and search
import Input, { type InputRef } from "antd/es/input/Input";
import Password from "antd/es/input/Password";
import LongInput from "antd/es/input/TextArea";
import { useEffect, useId, useRef, useState, type ReactNode, type Ref } from "react";
import { Kbd } from "./Button";
import { Icon } from "./Icon";
import { useWords } from "./words";

/** A labelled field: label, control, hint or what is wrong with it. `children` gets the ids that tie them together. */
export function Field(props: {
  label: ReactNode;
  hint?: ReactNode;
  error?: ReactNode;
  required?: boolean;
  repair?: ReactNode;
  children: (ids: { id: string; "aria-describedby"?: string; "aria-invalid"?: boolean }) => ReactNode;
}): ReactNode {
  const { label, hint, error, required = false, repair, children } = props;
  const id = useId();
  const say = useWords();
  const described = error || hint ? `${id}-said` : undefined;
  return (
    <div className={`k-field${error ? " k-invalid" : ""}`}>
      <label htmlFor={id}>
        {label}
        {required && <span className="k-required">{say("required")}</span>}
      </label>
      {children({ id, "aria-describedby": described, "aria-invalid": error ? true : undefined })}
      {(error || hint) && (
        <p id={described} className={error ? "k-field-error" : "k-field-hint"} role={error ? "alert" : undefined}>
          {error ?? hint} {error && repair}
        </p>
      )}
    </div>
  );
}

export interface Ids {
  id?: string;
  "aria-describedby"?: string;
  "aria-invalid"?: boolean;
  "aria-label"?: string;
}

export interface TextInputProps extends Ids {
  value: string;
  onChange: (value: string) => void;
  placeholder?: string;
  mono?: boolean;
  password?: boolean;
  autoComplete?: string;
  disabled?: boolean;
  autoFocus?: boolean;
  maxLength?: number;
  onEnter?: () => void;
  onEscape?: () => void;
  ref?: Ref<InputRef>;
}

export function TextInput(props: TextInputProps): ReactNode {
  const { onChange, mono, password, onEnter, onEscape, ...rest } = props;
  const Control = password ? Password : Input;
  return (
    <Control
      {...rest}
      className={mono ? "k-mono" : undefined}
      spellCheck={false}
      autoComplete={props.autoComplete ?? "off"}
      onChange={(event) => onChange(event.target.value)}
      onKeyDown={(event) => {
        if (event.key === "Enter") onEnter?.();
        if (event.key === "Escape") onEscape?.();
      }}
    />
  );
}

export function TextArea(props: Ids & { value: string; onChange: (value: string) => void; rows?: number; mono?: boolean; placeholder?: string; maxLength?: number }): ReactNode {
  const { onChange, mono, ...rest } = props;
  return <LongInput {...rest} className={mono ? "k-mono" : undefined} spellCheck={false} onChange={(event) => onChange(event.target.value)} />;
}

/** What is being typed, where the value comes back late, as from the address: it follows the value, but never over what was typed since. */
function useTyped(value: string, onChange: (value: string) => void): [string, (value: string) => void] {
  const [typed, setTyped] = useState(value);
  const sent = useRef<string[]>([]);
  useEffect(() => {
    const place = sent.current.indexOf(value);
    if (place >= 0) sent.current.splice(0, place + 1);
    else {
      sent.current = [];
      setTyped(value);
    }
  }, [value]);
  const change = (next: string): void => {
    if (next !== typed) sent.current.push(next);
    setTyped(next);
    onChange(next);
  };
  return [typed, change];
}

/** Search as one types; Escape clears. */
export function SearchInput(props: { value: string; onChange: (value: string) => void; label: string; width?: number; keys?: string; ref?: Ref<InputRef> }): ReactNode {
  const { value, label, width = 240, keys = "/", ref } = props;
  const [typed, onChange] = useTyped(value, props.onChange);
  return (
    <Input
      ref={ref}
      className="k-search"
      style={{ width }}
      value={typed}
      placeholder={label}
      aria-label={label}
      data-filter=""
      spellCheck={false}
      autoComplete="off"
      prefix={<Icon name="search" size={14} />}
      suffix={typed || !keys ? undefined : <Kbd keys={keys} />}
      allowClear
      onChange={(event) => onChange(event.target.value)}
      onKeyDown={(event) => {
        if (event.key === "Escape") {
          if (typed) event.stopPropagation();
          onChange("");
        }
      }}
    />
  );
}
