import { createContext, useContext } from "react";
import type { Language } from "./theme";

/**
 * The few words that the kit itself says. Pages say theirs through the shell's `t`; the kit knows no shell, so it is given the
 * language and keeps its own words here, both languages side by side.
 */
const words = {
  copy: ["复制", "Copy"],
  copied: ["已复制", "Copied"],
  copyCli: ["复制命令", "Copy CLI"],
  copyApi: ["复制接口", "Copy API"],
  retry: ["重试", "Retry now"],
  clear: ["清除筛选", "Clear filter"],
  close: ["关闭", "Close"],
  cancel: ["取消", "Cancel"],
  code: ["代码", "Code"],
  request: ["请求", "Request"],
  reading: ["读取中…", "Reading…"],
  more: ["继续载入", "Load more"],
  reveal: ["显示", "Reveal"],
  hide: ["隐藏", "Hide"],
  hidden: ["密文", "secret"],
  typeToConfirm: ["输入 {name} 以确认", "Type {name} to confirm"],
  unknown: ["未知", "unknown"],
  columns: ["列", "Columns"],
  views: ["视图", "Views"],
  saveView: ["保存当前视图", "Save this view"],
  viewName: ["视图名称", "Name of the view"],
  selected: ["已选 {count}", "{count} selected"],
  all: ["全选", "Select all"],
  selectRow: ["选择 {name}", "Select {name}"],
  actions: ["操作", "Actions"],
  unchanged: ["{count} 行未改动", "{count} unchanged lines"],
  before: ["之前", "Before"],
  after: ["之后", "After"],
  split: ["并排", "Split"],
  inline: ["单列", "Inline"],
  production: ["生产", "PROD"],
  search: ["搜索", "Search"],
  source: ["源码", "Source"],
  form: ["表单", "Form"],
  add: ["添加", "Add"],
  remove: ["移除", "Remove"],
  pause: ["暂停", "Pause"],
  resume: ["继续", "Resume"],
  follow: ["跟随", "Follow"],
  stopped: ["已停在此处，新到 {count} 条", "Stopped here, {count} new"],
  sampled: ["每秒超过 {budget} 条，已抽样", "Over {budget} a second, sampled"],
  sort: ["排序", "Sort"],
  ownOrder: ["默认顺序", "Default order"],
  line: ["第 {line} 行第 {column} 列", "Line {line}, column {column}"],
  never: ["从未", "never"],
  now: ["刚刚", "just now"],
  noOptions: ["没有匹配项", "Nothing matches"],
  required: ["必填", "required"],
  yes: ["是", "yes"],
  no: ["否", "no"],
} as const satisfies Record<string, readonly [string, string]>;

export type KitWord = keyof typeof words;

export const LanguageContext = createContext<Language>("en");

export const useLanguage = (): Language => useContext(LanguageContext);

/** Give the kit's own words in the language in force. */
export function useWords(): (word: KitWord, values?: Record<string, string | number>) => string {
  const language = useLanguage();
  return (word, values) => {
    const text: string = words[word][language === "zh" ? 0 : 1];
    return values ? text.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? "")) : text;
  };
}
