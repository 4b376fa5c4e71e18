import { ConfigProvider, theme as antdTheme, type ThemeConfig } from "antd";
import enUS from "antd/locale/en_US";
import zhCN from "antd/locale/zh_CN";
import { createContext, useContext, useMemo, type ReactNode } from "react";
import { fonts, tokens, type Theme } from "./tokens";

export type Language = "zh" | "en";

const ThemeContext = createContext<Theme>("light");

/** The theme in force: for what draws on a canvas and needs values. */
export const useTheme = (): Theme => useContext(ThemeContext);

/** The library's theme, every value set outright: its derived colours fail contrast. */
function configured(theme: Theme): ThemeConfig {
  const t = tokens[theme];
  const status = (hue: "ok" | "warn" | "bad" | "info", name: string) => ({
    [`color${name}`]: t[hue],
    [`color${name}Bg`]: t[`${hue}-bg`],
    [`color${name}Border`]: t[`${hue}-line`],
    [`color${name}Text`]: t[`${hue}-text`],
  });
  return {
    cssVar: { prefix: "a" },
    ...(theme === "dark" ? { algorithm: antdTheme.darkAlgorithm } : {}),
    token: {
      wireframe: false,
      motion: !window.matchMedia("(prefers-reduced-motion: reduce)").matches,
      colorPrimary: t.brand,
      colorPrimaryHover: t["brand-hover"],
      colorPrimaryActive: t["brand-hover"],
      colorPrimaryBg: t["brand-bg"],
      colorLink: t["brand-text"],
      colorLinkHover: t["brand-text"],
      colorTextLightSolid: t["on-brand"],
      ...status("ok", "Success"),
      ...status("warn", "Warning"),
      ...status("bad", "Error"),
      ...status("info", "Info"),
      colorText: t.text,
      colorTextBase: t.text,
      colorTextHeading: t.text,
      colorTextSecondary: t["text-2"],
      colorTextTertiary: t["text-3"],
      colorTextQuaternary: t["text-3"],
      colorTextPlaceholder: t["text-3"],
      colorTextDisabled: t["text-3"],
      colorTextDescription: t["text-3"],
      colorIcon: t["text-3"],
      colorIconHover: t.text,
      colorBgBase: t.surface,
      colorBgLayout: t.canvas,
      colorBgContainer: t.surface,
      colorBgElevated: t.raised,
      colorBgSpotlight: t.text,
      colorBgMask: t.mask,
      colorFillAlter: t.sunken,
      colorBorder: t["line-2"],
      colorBorderSecondary: t.line,
      colorSplit: t.line,
      controlItemBgHover: t.hover,
      controlItemBgActive: t["brand-bg"],
      controlItemBgActiveHover: t["brand-bg"],
      controlOutline: t.focus,
      controlOutlineWidth: 2,
      lineWidthFocus: 2,
      fontFamily: fonts.text,
      fontFamilyCode: fonts.mono,
      fontSize: 13,
      fontSizeSM: 12,
      lineHeight: 1.5385,
      fontWeightStrong: 600,
      borderRadius: 5,
      borderRadiusSM: 3,
      borderRadiusXS: 3,
      borderRadiusLG: 8,
      controlHeight: 28,
      controlHeightSM: 24,
      controlHeightLG: 36,
      sizeUnit: 4,
      sizeStep: 4,
      boxShadow: t.shadow,
      boxShadowSecondary: t.shadow,
      motionDurationFast: "0.08s",
      motionDurationMid: "0.12s",
      motionDurationSlow: "0.16s",
    },
    components: {
      Table: {
        headerBg: t.sunken,
        headerColor: t["text-3"],
        headerSplitColor: "transparent",
        headerBorderRadius: 0,
        borderColor: t.line,
        rowHoverBg: t.hover,
        rowSelectedBg: t["brand-bg"],
        rowSelectedHoverBg: t["brand-bg"],
        cellFontSizeSM: 12,
        cellPaddingInlineSM: 8,
        cellPaddingBlockSM: 0,
      },
      Input: { activeShadow: "none", hoverBorderColor: t.control, activeBorderColor: t.control, paddingInline: 8 },
      InputNumber: { activeShadow: "none", hoverBorderColor: t.control, activeBorderColor: t.control },
      Select: { activeOutlineColor: "transparent", hoverBorderColor: t.control, activeBorderColor: t.control },
      Segmented: { itemSelectedBg: t["brand-bg"], itemSelectedColor: t["brand-text"], itemColor: t["text-2"] },
      Slider: { railSize: 4, handleSize: 15, trackBg: t.brand, railBg: t["line-2"] },
      Modal: { contentBg: t.raised, headerBg: t.raised, titleFontSize: 14 },
      Drawer: { footerPaddingInline: 16, footerPaddingBlock: 10 },
      Switch: { trackHeight: 16, trackMinWidth: 28, handleSize: 12 },
    },
  };
}

/** The nonce of the page, which every style sheet made at run time carries. */
export const pageNonce = (): string => document.querySelector<HTMLMetaElement>("meta[property=csp-nonce]")?.nonce ?? "";

/** Gives everything inside it the theme, the language of the library's own words, and the page's nonce for its styles. */
export function Themed(props: { theme: Theme; language: Language; nonce: string; children: ReactNode }): ReactNode {
  const { theme, language, nonce, children } = props;
  const config = useMemo(() => configured(theme), [theme]);
  return (
    <ThemeContext.Provider value={theme}>
      <ConfigProvider
        theme={config}
        locale={language === "zh" ? zhCN : enUS}
        csp={{ nonce }}
        wave={{ disabled: true }}
        componentSize="middle"
      >
        {children}
      </ConfigProvider>
    </ThemeContext.Provider>
  );
}

/** Have every style sheet that a library makes at run time carry the page's nonce: some make theirs without asking for one. */
export function nonceStyles(nonce: string): void {
  const create = Document.prototype.createElement;
  Document.prototype.createElement = function (this: Document, ...args: Parameters<typeof create>) {
    const made = create.apply(this, args);
    if (made instanceof HTMLStyleElement) made.nonce = nonce;
    return made;
  } as typeof create;
}
