import { QueryClientProvider } from "@tanstack/react-query";
import { StrictMode, lazy, startTransition, useEffect, useInsertionEffect, useMemo, useState, type ReactNode } from "react";
import { createRoot } from "react-dom/client";
import { createBrowserRouter, Navigate, Outlet, RouterProvider, type RouteObject } from "react-router";
import { base, failureOf, makeQueries } from "./api";
import { backend } from "./api/backend";
import { capabilities } from "./capabilities";
import { applyTheme, Button, Empty, ErrorState, LanguageContext, nonceStyles, pageNonce, Reading, Themed } from "./kit";
import {
  allowed,
  ALL,
  at,
  atPlatform,
  BackendContext,
  Frame,
  lastTenant,
  MeContext,
  PageProvider,
  preferencesNow,
  RegistryContext,
  RouteFailed,
  RouterNow,
  startKeyboard,
  startTexts,
  useMe,
  usePreferences,
  useText,
  useThemeInForce,
  type CapabilityPages,
  type Me,
} from "./shell";
import en from "./shell/en.json";
import zh from "./shell/zh.json";
import "./kit/kit.css";

const Gallery = lazy(() => import("./gallery/Gallery"));
const nonce = pageNonce();
nonceStyles(nonce);
const queries = makeQueries();

/** Theme and language around everything. */
function Root(): ReactNode {
  const theme = useThemeInForce();
  const { language } = usePreferences();
  useInsertionEffect(() => applyTheme(theme), [theme]);
  useEffect(() => {
    document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  }, [language]);
  return (
    <Themed theme={theme} language={language} nonce={nonce}>
      <LanguageContext.Provider value={language}>
        <Outlet />
      </LanguageContext.Provider>
    </Themed>
  );
}

/** The first question, asked before anything is drawn; the gallery needs nobody. */
let asking = window.location.pathname.endsWith("/-/kit") ? undefined : backend.me();
asking?.catch(() => undefined); // whoever takes it up hears of it

/** Who is signed in; without an answer there are no pages. */
function SignedIn(): ReactNode {
  const [me, setMe] = useState<Me>();
  const [error, setError] = useState<unknown>();
  const say = useText("shell");
  const ask = (): void => {
    setError(undefined);
    const asked = asking ?? backend.me();
    asking = undefined;
    // in slices: the frame and its page are too much for one task
    asked.then((found) => startTransition(() => setMe(found)), setError);
  };
  useEffect(ask, []);
  if (error) return <ErrorState failure={failureOf(error, say("start.failed"))} onRetry={ask} />;
  if (!me) return <Reading />;
  return (
    <MeContext.Provider value={me}>
      <Registered>
        <PageProvider>
          <Frame />
        </PageProvider>
      </Registered>
    </MeContext.Provider>
  );
}

/** The pages there are: those that are built in, and those that a capability finds out. */
function Registered({ children }: { children: ReactNode }): ReactNode {
  const more = capabilities.map((pages) => pages.useMore?.(capabilities) ?? NONE);
  // oxlint-disable-next-line react-hooks/exhaustive-deps -- one entry for each of the built in ones
  const all = useMemo(() => [...capabilities, ...more.flat()], more);
  return <RegistryContext.Provider value={all}>{children}</RegistryContext.Provider>;
}

const NONE: CapabilityPages[] = [];

/** Where somebody begins: in his own tenant, else in the first one there is. */
function Begin(): ReactNode {
  const me = useMe();
  const [to, setTo] = useState<string>();
  useEffect(() => void beginOf(me).then(setTo), [me]);
  return to ? <Navigate to={to} replace /> : <Reading />;
}

async function beginOf(me: Me): Promise<string> {
  if (me.tenant) return at({ tenant: me.tenant, environment: ALL }, "home");
  const tenants = await backend.tenants("").catch(() => []);
  const tenant = tenants.find((one) => one.name === lastTenant()) ?? tenants[0];
  if (tenant) return at({ tenant: tenant.name, environment: ALL }, "home");
  return allowed(me, "identity.tenant:list", {}) ? atPlatform("tenants") : atPlatform("me", "access");
}

function NotFound(): ReactNode {
  const say = useText("shell");
  return (
    <Empty title={say("notFound.title")} actions={<Button to="/">{say("notFound.home")}</Button>}>
      {say("notFound.detail")}
    </Empty>
  );
}

const routes: RouteObject[] = [
  {
    Component: Root,
    HydrateFallback: Reading,
    children: [
      { path: "/-/kit", Component: Gallery },
      {
        Component: SignedIn,
        children: [
          { path: "/", Component: Begin },
          {
            path: "/t/:tenant/:environment",
            ErrorBoundary: RouteFailed,
            children: [{ index: true, element: <Navigate to="home" replace /> }, ...capabilities.flatMap((pages) => pages.routes ?? []), { path: "*", Component: NotFound }],
          },
          { path: "/platform", ErrorBoundary: RouteFailed, children: [...capabilities.flatMap((pages) => pages.platformRoutes ?? []), { path: "*", Component: NotFound }] },
          { path: "*", Component: NotFound },
        ],
      },
    ],
  },
];

startTexts(preferencesNow().language, Object.fromEntries([["shell", { zh, en }], ...capabilities.map((pages) => [pages.name, pages.texts])]));
startKeyboard();

const router = createBrowserRouter(routes, { basename: base.replace(/\/$/, "") || "/" });

createRoot(document.getElementById("root") as HTMLElement).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <BackendContext.Provider value={backend}>
        <RouterNow.Provider value={router}>
          <RouterProvider router={router} />
        </RouterNow.Provider>
      </BackendContext.Provider>
    </QueryClientProvider>
  </StrictMode>,
);
