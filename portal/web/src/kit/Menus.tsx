import { Dropdown, Popover, Tooltip } from "antd";
import type { ReactElement, ReactNode } from "react";
import { Button } from "./Button";
import { Icon, type IconName } from "./Icon";

export interface MenuItem {
  key: string;
  label: ReactNode;
  icon?: IconName;
  danger?: boolean;
  disabled?: boolean;
  onSelect: () => void;
}

export function Menu({ items, children, label }: { items: (MenuItem | "line")[]; children?: ReactElement; label: string }): ReactNode {
  return (
    <Dropdown
      trigger={["click"]}
      menu={{
        items: items.map((item, place) =>
          item === "line"
            ? { type: "divider", key: `line-${place}` }
            : { key: item.key, label: item.label, icon: item.icon && <Icon name={item.icon} size={14} />, danger: item.danger ?? false, disabled: item.disabled ?? false, onClick: item.onSelect },
        ),
      }}
    >
      {children ?? <Button kind="quiet" size="small" icon="more" label={label} />}
    </Dropdown>
  );
}

export function Hint({ text, children }: { text: ReactNode; children: ReactElement }): ReactNode {
  return <Tooltip title={text}>{children}</Tooltip>;
}

export function Pop(props: { content: ReactNode; children: ReactElement; open?: boolean; onOpenChange?: (open: boolean) => void }): ReactNode {
  return (
    <Popover content={props.content} trigger="click" arrow={false} placement="bottomLeft" open={props.open} onOpenChange={props.onOpenChange}>
      {props.children}
    </Popover>
  );
}
