/**
 * Tokens: the one place where a colour has a value. Everything else names them, as `var(--text-2)` in style sheets and as
 * `tokens[theme].text` where a library wants a value. Each pair was checked for contrast in both themes.
 */
export type Theme = "light" | "dark";

const pairs = {
  canvas: ["#F2F4F5", "#0B0E11"],
  surface: ["#FFFFFF", "#101418"],
  sunken: ["#F8F9FA", "#0B0E11"],
  raised: ["#FFFFFF", "#1B2127"],
  hover: ["#F2F4F5", "#1B2127"],
  line: ["#E1E5E8", "#222930"],
  "line-2": ["#D5DADE", "#2C343C"],
  control: ["#838E98", "#6A7682"],
  text: ["#12171C", "#ECEFF2"],
  "text-2": ["#4B555E", "#ABB5BF"],
  "text-3": ["#5F6A74", "#919CA8"],
  "brand-text": ["#0A5C75", "#6CC6E1"],
  brand: ["#0B6580", "#46B3D3"],
  "brand-hover": ["#0A5C75", "#6CC6E1"],
  "on-brand": ["#FFFFFF", "#0B0E11"],
  "brand-bg": ["#E3F1F5", "#0D2A35"],
  focus: ["#0B7FA3", "#5CC3E2"],
  ok: ["#1F8A53", "#3DB877"],
  "ok-text": ["#15653A", "#6FD39B"],
  "ok-bg": ["#E5F4EB", "#0F261A"],
  "ok-line": ["#A6D6BA", "#235239"],
  warn: ["#B87503", "#DDA02E"],
  "warn-text": ["#7D4C00", "#EFBB5A"],
  "warn-bg": ["#FDF1D9", "#2B2009"],
  "warn-line": ["#E8C683", "#5F4712"],
  bad: ["#D2342B", "#F0594E"],
  "bad-text": ["#AE1F18", "#FF9389"],
  "bad-bg": ["#FDECEA", "#331310"],
  "bad-line": ["#F0B4AE", "#73302A"],
  info: ["#3F66D6", "#6E90F4"],
  "info-text": ["#294DB8", "#95B1FF"],
  "info-bg": ["#EAF0FE", "#151E3A"],
  "info-line": ["#B5C6F6", "#334880"],
  idle: ["#76818B", "#7F8B97"],
  "idle-text": ["#525C66", "#A7B1BB"],
  "idle-bg": ["#EEF0F2", "#1E242A"],
  "idle-line": ["#CDD3D8", "#3A444E"],
  prod: ["#7D1B63", "#AB3A8E"],
  "on-prod": ["#FFFFFF", "#FFFFFF"],
  "prod-text": ["#7D1B63", "#F0A8DD"],
  "prod-bg": ["#F9EAF5", "#2C1027"],
  "prod-line": ["#DFAFD2", "#6C2B5D"],
  "add-bg": ["#E6F5EC", "#0E2419"],
  "add-mark": ["#B4E2C6", "#1E5336"],
  "del-bg": ["#FDEDEB", "#2E1311"],
  "del-mark": ["#F8C6C1", "#6A2A25"],
  c1: ["#0B6580", "#4DB8D8"],
  c2: ["#BF5512", "#EE8B4A"],
  c3: ["#4A6FDC", "#8CA8FF"],
  c4: ["#767400", "#C9C24A"],
  c5: ["#A83E86", "#E584C3"],
  c6: ["#127A70", "#4CC4B4"],
  c7: ["#85573A", "#C99A78"],
  c8: ["#6B7680", "#919CA8"],
  grid: ["#ECEFF1", "#1A2026"],
  mask: ["rgba(18, 23, 28, 0.32)", "rgba(0, 0, 0, 0.56)"],
  avatar: ["#343C44", "#3B454F"],
  "on-avatar": ["#FFFFFF", "#ECEFF2"],
  shadow: ["0 8px 28px rgba(18, 23, 28, 0.18)", "0 8px 28px rgba(0, 0, 0, 0.6)"],
} as const satisfies Record<string, readonly [string, string]>;

export type Token = keyof typeof pairs;
export type Tokens = Record<Token, string>;

const names = Object.keys(pairs) as Token[];
const of = (place: 0 | 1): Tokens => Object.fromEntries(names.map((name) => [name, pairs[name][place]])) as Tokens;

export const tokens: Record<Theme, Tokens> = { light: of(0), dark: of(1) };

export const fonts = {
  text: 'Inter, system-ui, -apple-system, "Segoe UI", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif',
  mono: '"JetBrains Mono", ui-monospace, "SF Mono", "Cascadia Mono", Consolas, "Noto Sans Mono CJK SC", monospace',
} as const;

/** Put a theme's values on an element, the whole page by default, as custom properties. */
export function applyTheme(theme: Theme, element: HTMLElement = document.documentElement): void {
  for (const name of names) element.style.setProperty(`--${name}`, tokens[theme][name]);
  element.style.setProperty("--font", fonts.text);
  element.style.setProperty("--mono", fonts.mono);
  element.style.colorScheme = theme;
  element.dataset.theme = theme;
}
