import type { MouseEvent, ReactNode, Ref } from "react";
import { Link } from "react-router";
import { Icon, type IconName } from "./Icon";

export type ButtonKind = "default" | "primary" | "production" | "quiet" | "danger";

/** A key cap. */
export function Kbd({ keys }: { keys: string }): ReactNode {
  return (
    <kbd className="k-kbd">
      {keys.split(" ").map((key, place) => (
        <span key={place}>{key}</span>
      ))}
    </kbd>
  );
}

export interface ButtonProps {
  children?: ReactNode;
  kind?: ButtonKind;
  icon?: IconName;
  /** The key that does the same, shown on the button; binding it is the shell's. */
  keys?: string;
  size?: "small" | "middle" | "large";
  disabled?: boolean;
  /** Why it is disabled, in words: shown as its title and read by screen readers. */
  reason?: string;
  busy?: boolean;
  /** Name for those who do not see the icon; needed where there are no children. */
  label?: string;
  /** With an address it is a real link, which opens in a new tab as links do. */
  to?: string;
  href?: string;
  download?: string;
  type?: "button" | "submit";
  pressed?: boolean;
  expanded?: boolean;
  onClick?: (event: MouseEvent) => void;
  ref?: Ref<HTMLButtonElement>;
}

export function Button(props: ButtonProps): ReactNode {
  const { children, kind = "default", icon, keys, size = "middle", disabled = false, reason, busy = false, label } = props;
  const { to, href, download, type = "button", pressed, expanded, onClick, ref } = props;
  const className = `k-button k-button-${kind} k-button-${size}${children === undefined ? " k-button-icon" : ""}`;
  const content = (
    <>
      {busy ? <span className="k-spinner" aria-hidden="true" /> : icon && <Icon name={icon} size={14} />}
      {children !== undefined && <span>{children}</span>}
      {keys && <Kbd keys={keys} />}
    </>
  );
  const title = disabled ? reason : label;
  if (to !== undefined && !disabled) {
    return (
      <Link className={className} to={to} title={title} aria-label={children === undefined ? label : undefined} onClick={onClick}>
        {content}
      </Link>
    );
  }
  if (href !== undefined && !disabled) {
    return (
      <a className={className} href={href} download={download} title={title} aria-label={children === undefined ? label : undefined}>
        {content}
      </a>
    );
  }
  return (
    <button
      ref={ref}
      type={type}
      className={className}
      disabled={disabled && !reason}
      aria-disabled={disabled || busy || undefined}
      aria-label={children === undefined ? label : undefined}
      aria-pressed={pressed}
      aria-expanded={expanded}
      title={title}
      onClick={disabled || busy ? (event) => event.preventDefault() : onClick}
    >
      {content}
    </button>
  );
}
