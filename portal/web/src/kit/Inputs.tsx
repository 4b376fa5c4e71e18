import { Checkbox, InputNumber, Segmented, Select, Slider, Switch } from "antd";
import type { ReactNode } from "react";
import type { Ids } from "./Texts";
import { useWords } from "./words";

export function NumberInput(props: Ids & { value: number | null; onChange: (value: number | null) => void; min?: number; max?: number; step?: number; disabled?: boolean; width?: number | string; unit?: string }): ReactNode {
  const { width = "100%", unit, ...rest } = props;
  return <InputNumber {...rest} suffix={unit} style={{ width }} controls={false} />;
}

export interface Option {
  value: string;
  label: ReactNode;
  /** What is searched where the label is not a text. */
  text?: string;
  disabled?: boolean;
}

export function Choice(props: Ids & {
  value: string | null;
  onChange: (value: string) => void;
  options: Option[];
  placeholder?: string;
  width?: number | string;
  disabled?: boolean;
  onSearch?: (words: string) => void;
  loading?: boolean;
}): ReactNode {
  const { width = "100%", onSearch, options, value, ...rest } = props;
  const say = useWords();
  return (
    <Select
      {...rest}
      value={value === "" && !options.some((option) => option.value === "") ? null : value}
      style={{ width }}
      options={options}
      popupMatchSelectWidth={false}
      notFoundContent={say("noOptions")}
      showSearch={
        onSearch
          ? { filterOption: false, onSearch }
          : options.length > 8
            ? { filterOption: (words, option) => (option?.text ?? String(option?.label)).toLowerCase().includes(words.toLowerCase()) }
            : false
      }
    />
  );
}

export function ManyChoice(props: Ids & { value: string[]; onChange: (value: string[]) => void; options?: Option[]; free?: boolean; placeholder?: string }): ReactNode {
  const { free = false, options = [], ...rest } = props;
  const say = useWords();
  return <Select {...rest} mode={free ? "tags" : "multiple"} style={{ width: "100%" }} options={options} notFoundContent={say("noOptions")} tokenSeparators={[",", " "]} />;
}

export function Toggle(props: Ids & { checked: boolean; onChange: (checked: boolean) => void; disabled?: boolean }): ReactNode {
  return <Switch {...props} size="small" />;
}

export function Check(props: { checked: boolean; onChange: (checked: boolean) => void; children?: ReactNode; disabled?: boolean; label?: string; some?: boolean }): ReactNode {
  const { onChange, label, some, ...rest } = props;
  return <Checkbox {...rest} indeterminate={some ?? false} aria-label={label} onChange={(event) => onChange(event.target.checked)} />;
}

export function Pick<T extends string>(props: { value: T; onChange: (value: T) => void; options: { value: T; label: ReactNode }[]; label: string }): ReactNode {
  const { value, onChange, options, label } = props;
  return <Segmented<T> value={value} onChange={onChange} options={options} size="middle" aria-label={label} />;
}

export function Range(props: { value: number; onChange: (value: number) => void; min?: number; max?: number; step?: number; marks?: Record<number, string>; label: string; disabled?: boolean }): ReactNode {
  const { label, marks, ...rest } = props;
  return <Slider {...rest} {...(marks ? { marks } : {})} ariaLabelForHandle={label} tooltip={{ open: false }} />;
}

/** A moment in the local time of who looks; milliseconds since 1970 UTC, null for none. */
export function Moment(props: Ids & { value: number | null; onChange: (value: number | null) => void; min?: number }): ReactNode {
  const { value, onChange, min, ...rest } = props;
  const local = (at: number): string => new Date(at - new Date(at).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
  return (
    <input
      {...rest}
      type="datetime-local"
      className="k-moment"
      value={value === null ? "" : local(value)}
      min={min === undefined ? undefined : local(min)}
      onChange={(event) => onChange(event.target.value ? new Date(event.target.value).getTime() : null)}
    />
  );
}
