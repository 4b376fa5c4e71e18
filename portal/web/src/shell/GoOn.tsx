import { createContext, useCallback, useContext, useEffect } from "react";
import { useHref, useLocation, useNavigate, useNavigation, type DataRouter } from "react-router";

/** The router as it is now: what it tells React of somebody on the way elsewhere is heard only after the next drawing. */
export const RouterNow = createContext<Pick<DataRouter, "state"> | undefined>(undefined);

/** Give whether somebody is still on this page, and not on the way to another: a late answer must not call one back. */
export function useStillHere(): () => boolean {
  const router = useContext(RouterNow);
  const here = useHref({ pathname: useLocation().pathname });
  return useCallback(() => !router || (router.state.navigation.state === "idle" && router.state.location.pathname === here), [router, here]);
}

/** Go on to the page that stands for this one, once it is known which; never while somebody is on the way elsewhere. */
export function useGoOn(to: string | undefined): void {
  const navigate = useNavigate();
  const stillHere = useStillHere();
  const { state } = useNavigation(); // a way elsewhere that came to nothing is looked at again
  useEffect(() => {
    if (to && stillHere()) void navigate(to, { replace: true });
  }, [to, state, stillHere, navigate]);
}

export function GoOn({ to }: { to: string }): null {
  useGoOn(to);
  return null;
}
