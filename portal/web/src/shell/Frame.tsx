import { lazy, Suspense, useEffect, useState, type ReactNode } from "react";
import { Outlet, useLocation, useNavigate } from "react-router";
import { Reading, useWidthBelow } from "../kit";
import { Boundary } from "./Boundary";
import { Foot } from "./Foot";
import { focusFilter, useKeys } from "./keyboard";
import { useMay } from "./may";
import { keepLastTenant, setPreferences, usePreferences, useThemeInForce } from "./preferences";
import { Rail } from "./Rail";
import { belongs, useRegistry, whereOf } from "./registry";
import { useScope } from "./scope";
import { TopBar } from "./TopBar";
import { useText } from "./i18n";
import { useIsProduction } from "./production";
import "./shell.css";

const KeySheet = lazy(() => import("./KeySheet"));
const Palette = lazy(() => import("./Palette"));

/** What is one page: a tab of an application keeps its state while the rest of its address changes, which is its own. */
const TAB_DEPTH = 8;
const pageOf = (pathname: string): string => pathname.split("/").slice(0, TAB_DEPTH).join("/");

/** The frame: top bar, rail, page, foot. It never changes while pages do. */
export function Frame(): ReactNode {
  const { rail } = usePreferences();
  const narrow = useWidthBelow(768);
  const middle = useWidthBelow(1200);
  const [sheet, setSheet] = useState(false);
  const [palette, setPalette] = useState(false);
  const [railOpen, setRailOpen] = useState(false);
  const location = useLocation();
  const production = useIsProduction();
  const say = useText("shell");
  const { tenant } = useScope();
  useEffect(() => setRailOpen(false), [location.pathname]);
  useEffect(() => {
    if (tenant) keepLastTenant(tenant);
  }, [tenant]);
  useGlobalKeys({ openPalette: () => setPalette(true), openSheet: () => setSheet(true) });
  return (
    <div className={`s-frame${production ? " s-production" : ""}`} data-rail={narrow ? "sheet" : middle || !rail ? "small" : "full"}>
      <a className="s-skip" href="#main">{say("skip")}</a>
      <TopBar onPalette={() => setPalette(true)} onMenu={() => (narrow ? setRailOpen(!railOpen) : setPreferences({ rail: !rail }))} />
      {(!narrow || railOpen) && <Rail small={!narrow && (middle || !rail)} onLeave={() => setRailOpen(false)} />}
      <main className="s-main" id="main" tabIndex={-1}>
        <Boundary key={pageOf(location.pathname)}>
          <Suspense fallback={<Reading />}>
            <Outlet />
          </Suspense>
        </Boundary>
      </main>
      <Foot onKeys={() => setSheet(true)} />
      <Suspense>
        {sheet && <KeySheet open onClose={() => setSheet(false)} />}
        {palette && <Palette onClose={() => setPalette(false)} />}
      </Suspense>
    </div>
  );
}

function useGlobalKeys(act: { openPalette: () => void; openSheet: () => void }): void {
  const navigate = useNavigate();
  const scope = useScope();
  const may = useMay();
  const theme = useThemeInForce();
  const say = useText("shell");
  const entries = useRegistry().flatMap((pages) => pages.entries.map((entry) => ({ entry, name: pages.name })));
  const texts = useText("shell");
  useKeys([
    { keys: "mod+k", label: say("keys.palette"), group: "go", run: act.openPalette },
    { keys: "?", label: say("keys.sheet"), group: "view", run: act.openSheet },
    { keys: "/", label: say("keys.filter"), group: "list", run: focusFilter },
    { keys: "t d", label: say("keys.theme"), group: "view", run: () => setPreferences({ theme: theme === "dark" ? "light" : "dark" }) },
    ...entries
      .filter(({ entry }) => entry.go && belongs(entry, scope) && (!entry.permission || may(entry.permission, whereOf(entry, scope))))
      .map(({ entry, name }) => ({ keys: `g ${entry.go}`, label: texts(`${name}:${entry.label}`), group: "go" as const, run: () => void navigate(entry.to(scope)) })),
  ]);
}
