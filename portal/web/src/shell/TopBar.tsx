import type { ReactNode } from "react";
import { Link, useNavigate } from "react-router";
import { Button, Icon, Kbd, Menu, useWidthBelow } from "../kit";
import { useBackend } from "./backend";
import { setLanguage, useText } from "./i18n";
import { Mark } from "./Mark";
import { useMe } from "./may";
import { useCounts } from "./places";
import { setPreferences, usePreferences, useThemeInForce } from "./preferences";
import { at, atPlatform, useScope } from "./scope";
import { ScopeBar } from "./ScopeBar";

export function TopBar({ onPalette, onMenu }: { onPalette: () => void; onMenu: () => void }): ReactNode {
  const say = useText("shell");
  const scope = useScope();
  const narrow = useWidthBelow(768);
  const counts = useCounts(scope.tenant, scope.environment);
  const waiting = (counts.approvals ?? 0) + (counts.drafts ?? 0);
  return (
    <header className="s-top">
      <div className="s-mark">
        <Button kind="quiet" size="small" icon="menu" label={say("menu")} onClick={onMenu} />
        <Link to="/" className="s-brand" title={say("home")}>
          <Mark />
          <strong>qiantang</strong>
          <span lang="zh">钱塘</span>
        </Link>
      </div>
      <ScopeBar />
      <span className="k-grow" />
      <button type="button" className="s-search" onClick={onPalette} aria-label={narrow ? say("search") : undefined}>
        <Icon name="search" size={14} />
        {!narrow && <span>{say("search")}</span>}
        {!narrow && <Kbd keys={navigator.platform.startsWith("Mac") ? "⌘K" : "Ctrl K"} />}
      </button>
      {scope.tenant && (
        <>
          <Link className="s-tool" to={at(scope, "home")} title={say("inbox", { count: waiting })} aria-label={say("inbox", { count: waiting })}>
            <Icon name="inbox" />
            {waiting > 0 && <span>{waiting}</span>}
          </Link>
          <Link className="s-tool" to={`${at(scope, "config")}?state=failing`} title={say("alerts", { count: counts.failing ?? 0 })} aria-label={say("alerts", { count: counts.failing ?? 0 })}>
            <Icon name="bell" />
            {(counts.failing ?? 0) > 0 && <span className="s-tool-bad">{counts.failing}</span>}
          </Link>
        </>
      )}
      <LanguageSwitch />
      <ThemeSwitch />
      <MyMenu />
    </header>
  );
}

function LanguageSwitch(): ReactNode {
  const { language } = usePreferences();
  const other = language === "zh" ? "en" : "zh";
  const change = (): void => {
    setPreferences({ language: other });
    setLanguage(other);
  };
  return (
    <button type="button" className="s-tool" onClick={change} lang={other} title={other === "zh" ? "中文" : "English"} aria-label={language === "zh" ? "中 / English" : "EN / 中文"}>
      {language === "zh" ? "中" : "EN"}
    </button>
  );
}

function ThemeSwitch(): ReactNode {
  const say = useText("shell");
  const { theme } = usePreferences();
  const shown = useThemeInForce();
  return (
    <Menu
      label={say("theme.label")}
      items={(["light", "dark", "system"] as const).map((one) => ({
        key: one,
        label: say(`theme.${one}`),
        icon: one === theme ? "check" : one === "light" ? "sun" : one === "dark" ? "moon" : "system",
        onSelect: () => setPreferences({ theme: one }),
      }))}
    >
      <button type="button" className="s-tool" title={say("theme.label")} aria-label={say("theme.label")}>
        <Icon name={shown === "dark" ? "moon" : "sun"} />
      </button>
    </Menu>
  );
}

function MyMenu(): ReactNode {
  const say = useText("shell");
  const me = useMe();
  const navigate = useNavigate();
  const backend = useBackend();
  const scope = useScope();
  const initials = /[\u4e00-\u9fff]/.test(me.name) ? me.name.slice(-1) : me.name.slice(0, 2).toUpperCase();
  const mine = (page: string): string => (scope.tenant ? at(scope, "me", page) : atPlatform("me", page));
  return (
    <Menu
      label={say("me.label")}
      items={[
        { key: "who", label: <span className="k-stack s-who"><strong>{me.name}</strong><span className="k-quiet">{me.tenant || say("me.platform")}</span></span>, icon: "person", onSelect: () => void navigate(mine("access")) },
        "line",
        { key: "sessions", label: say("me.sessions"), icon: "system", onSelect: () => void navigate(mine("sessions")) },
        { key: "tokens", label: say("me.tokens"), icon: "token", onSelect: () => void navigate(mine("tokens")) },
        { key: "password", label: say("me.password"), icon: "key", onSelect: () => void navigate(mine("password")) },
        "line",
        { key: "out", label: say("me.signOut"), icon: "signout", onSelect: () => window.location.assign(backend.address("logout")) },
      ]}
    >
      <button type="button" className="s-me" title={me.name} aria-label={`${initials}, ${say("me.of", { name: me.name })}`}>
        {initials}
      </button>
    </Menu>
  );
}
