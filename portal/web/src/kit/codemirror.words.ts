/** The editor library's own words; English is what it says by itself. */
export const phrases = {
  zh: { Find: "查找", Replace: "替换为", next: "下一个", previous: "上一个", all: "全部", "match case": "区分大小写", "by word": "整词", regexp: "正则", replace: "替换", "replace all": "全部替换", close: "关闭", "current match": "当前匹配", "on line": "在第", "replaced match on line $": "已替换第 $ 行的匹配", "replaced $ matches": "已替换 $ 处", "Go to line": "跳到行", go: "前往", "Control character": "控制字符", "Selection deleted": "已删除选区" },
  en: {},
};
