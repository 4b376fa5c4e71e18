import type { ReactNode } from "react";

/** Line icons on a 16 grid, drawn in the colour of the text around them. */
const paths = {
  home: "M2.5 7.5 8 2.8l5.5 4.7M4 6.6V13h3V9.5h2V13h3V6.6",
  apps: "M2.5 2.5h4.5v4.5H2.5zM9 2.5h4.5v4.5H9zM2.5 9h4.5v4.5H2.5zM9 9h4.5v4.5H9z",
  config: "M2.5 4.5h6M11.5 4.5h2M10 3v3M2.5 11.5h2M7.5 11.5h6M6 10v3",
  search: "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9zM10.3 10.3l3.2 3.2",
  person: "M8 2.5a2.7 2.7 0 1 0 0 5.4 2.7 2.7 0 0 0 0-5.4zM3 13.5c.3-2.8 2.3-4 5-4s4.7 1.2 5 4",
  people: "M6 3a2.3 2.3 0 1 0 0 4.6A2.3 2.3 0 0 0 6 3zM2 13c.2-2.5 1.8-3.6 4-3.6s3.8 1.1 4 3.6M10.5 3.3a2.2 2.2 0 0 1 0 4.1M11.5 9.7c1.5.4 2.4 1.5 2.5 3.3",
  role: "M8 2.2 13 4v4c0 2.8-2 4.7-5 5.8C5 12.7 3 10.8 3 8V4z",
  grant: "M5 6.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5zM7 7.8l6.5-4.3M10.5 5.5l1.3 2",
  tenant: "M3 13.5v-11h6v11M9 6h4v7.5M2 13.5h12M5 5h2M5 7.5h2M5 10h2M11 8.5h.5M11 11h.5",
  environment: "M8 2.5 14 5.5 8 8.5 2 5.5zM2.5 8 8 10.8 13.5 8M2.5 10.5 8 13.3l5.5-2.8",
  center: "M8 2.5v4M8 6.5 3.5 10M8 6.5l4.5 3.5M6.5 2.5h3v2h-3zM2 10h3v3H2zM11 10h3v3h-3z",
  audit: "M8 2.2 13 4v4c0 2.8-2 4.7-5 5.8C5 12.7 3 10.8 3 8V4zM5.7 8l1.7 1.7 3-3.2",
  node: "M2.5 3h11v4h-11zM2.5 9h11v4h-11zM5 5h.1M5 11h.1",
  settings: "M8 5.8a2.2 2.2 0 1 0 0 4.4 2.2 2.2 0 0 0 0-4.4zM8 2v1.8M8 12.2V14M2 8h1.8M12.2 8H14M3.8 3.8l1.2 1.2M11 11l1.2 1.2M12.2 3.8 11 5M5 11l-1.2 1.2",
  key: "M5.2 6.2a3 3 0 1 0 0 5.6 3 3 0 0 0 0-5.6zM8 8.5h6M11.5 8.5v2M13.5 8.5v1.6",
  token: "M3 4.5h10v7H3zM5.5 8h.1M8 8h.1M10.5 8h.1",
  inbox: "M2.5 9.5 4.5 3h7l2 6.5v3.5h-11zM2.5 9.5h3.2l.8 1.5h3l.8-1.5h3.2",
  bell: "M4 11.5V7a4 4 0 0 1 8 0v4.5M2.8 11.5h10.4M6.8 13.5h2.4",
  sun: "M8 5.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6zM8 1.8v1.5M8 12.7v1.5M1.8 8h1.5M12.7 8h1.5M3.6 3.6l1 1M11.4 11.4l1 1M12.4 3.6l-1 1M4.6 11.4l-1 1",
  moon: "M13 9.6A5.6 5.6 0 0 1 6.4 3a5.4 5.4 0 1 0 6.6 6.6z",
  system: "M2.5 3.5h11v7h-11zM6 13.5h4M8 10.5v3",
  plus: "M8 3v10M3 8h10",
  minus: "M3 8h10",
  close: "M4 4l8 8M12 4l-8 8",
  check: "M3 8.5l3.2 3.2L13 4.8",
  copy: "M5.5 5.5h8v8h-8zM3.5 10.5h-1v-8h8v1",
  edit: "M3 13l.7-3L11 2.7l2.3 2.3L6 12.3z",
  eye: "M1.8 8S4 3.8 8 3.8 14.2 8 14.2 8 12 12.2 8 12.2 1.8 8 1.8 8zM8 6.3a1.7 1.7 0 1 0 0 3.4 1.7 1.7 0 0 0 0-3.4z",
  lock: "M4 7h8v6.5H4zM5.7 7V5a2.3 2.3 0 0 1 4.6 0v2",
  unlock: "M4 7h8v6.5H4zM5.7 7V4.8a2.3 2.3 0 0 1 4.4-.9",
  history: "M8 3a5 5 0 1 1-4.6 3M2.5 3.2v3h3M8 5.5V8l2 1.3",
  clock: "M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11zM8 5v3.2l2.2 1.3",
  undo: "M3.5 6.5h6a3.5 3.5 0 0 1 0 7H7M6 4 3.5 6.5 6 9",
  publish: "M8 13V5M4.8 8 8 4.8 11.2 8M3.5 2.5h9",
  download: "M8 2.5v7.5M4.8 7 8 10.2 11.2 7M3 13.5h10",
  upload: "M8 10.5V3M4.8 6 8 2.8 11.2 6M3 13.5h10",
  filter: "M2.5 3.5h11L9.5 8.3V12l-3 1.2V8.3z",
  down: "M4 6l4 4 4-4",
  up: "M4 10l4-4 4 4",
  left: "M10 4 6 8l4 4",
  right: "M6 4l4 4-4 4",
  updown: "M5 6l3-3 3 3M5 10l3 3 3-3",
  more: "M3.5 8h.1M8 8h.1M12.5 8h.1",
  file: "M4 2.5h5l3 3v8H4zM9 2.5v3h3",
  branch: "M5 3.2v9.6M11 3.5a1.3 1.3 0 1 0 0 2.6 1.3 1.3 0 0 0 0-2.6zM11 6.1c0 3-6 1.8-6 4.4",
  diff: "M5 3v6M2 6h6M9 12h5M2 13h4",
  external: "M9 3h4v4M13 3 7.5 8.5M11 9v4H3V5h4",
  keyboard: "M2 4.5h12v7H2zM4.5 7h.1M7 7h.1M9.5 7h.1M12 7h.1M5 9.3h6",
  language: "M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11zM2.5 8h11M8 2.5c2 1.6 2.6 3.4 2.6 5.5S10 11.9 8 13.5C6 11.9 5.4 10.1 5.4 8S6 4.1 8 2.5z",
  signout: "M6.5 3H3v10h3.5M6.5 8h7M10.8 5.2 13.5 8l-2.7 2.8",
  instance: "M8 2.2 13.2 5v6L8 13.8 2.8 11V5zM2.8 5 8 8l5.2-3M8 8v5.8",
  menu: "M2.5 4.5h11M2.5 8h11M2.5 11.5h11",
  shield: "M8 2.2 13 4v4c0 2.8-2 4.7-5 5.8C5 12.7 3 10.8 3 8V4z",
  refresh: "M13 8a5 5 0 1 1-1.5-3.5M13 2.5v3h-3",
  pin: "M6 2.5h4l-.5 4 2 2.5h-7l2-2.5zM8 9v4.5",
  table: "M2.5 3.5h11v9h-11zM2.5 6.5h11M6.5 6.5v6",
  code: "M5.5 4.5 2 8l3.5 3.5M10.5 4.5 14 8l-3.5 3.5",
  play: "M4.5 3v10l8-5z",
  pause: "M5 3.5v9M11 3.5v9",
} as const;

export type IconName = keyof typeof paths;

/** Those that are read as a sign rather than as a picture are filled. */
const FILLED: ReadonlySet<string> = new Set<IconName>(["shield"]);

export function Icon({ name, size = 16 }: { name: IconName; size?: number }): ReactNode {
  return (
    <svg className="k-icon" width={size} height={size} viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={paths[name]} fill={FILLED.has(name) ? "currentColor" : "none"} stroke="currentColor" strokeWidth="1.3" strokeLinecap="round" strokeLinejoin="round" />
    </svg>
  );
}
