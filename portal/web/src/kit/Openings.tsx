import { Dropdown, Popover } from "antd";
import type { ReactElement, ReactNode } from "react";
import { Icon, type IconName } from "./Icon";

export interface MenuItem {
  key: string;
  label: ReactNode;
  icon?: IconName;
  danger?: boolean;
  disabled?: boolean;
  onSelect: () => void;
}

/** What menus and popovers open: read once a page rests. */
export interface OpeningProps {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  children: ReactElement;
}

export function MenuOpening({ items, children, ...opening }: OpeningProps & { items: (MenuItem | "line")[] }): ReactNode {
  return (
    <Dropdown
      trigger={["click"]}
      {...opening}
      menu={{
        items: items.map((item, place) =>
          item === "line"
            ? { type: "divider", key: `line-${place}` }
            : { key: item.key, label: item.label, icon: item.icon && <Icon name={item.icon} size={14} />, danger: item.danger ?? false, disabled: item.disabled ?? false, onClick: item.onSelect },
        ),
      }}
    >
      {children}
    </Dropdown>
  );
}

export function PopOpening({ content, children, ...opening }: OpeningProps & { content: ReactNode }): ReactNode {
  // what is inside is often made once it opens, and a popover whose content is nothing would never do so
  return (
    <Popover content={<>{content}</>} trigger="click" arrow={false} placement="bottomLeft" {...opening}>
      {children}
    </Popover>
  );
}
