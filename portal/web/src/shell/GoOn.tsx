import { useEffect } from "react";
import { useHref, useLocation, useNavigate, useNavigation } from "react-router";

/** Go on to the page that stands for this one, once it is known which; never while somebody is on the way elsewhere. */
export function useGoOn(to: string | undefined): void {
  const navigate = useNavigate();
  const { state } = useNavigation();
  const here = useHref(useLocation()).split(/[?#]/)[0];
  useEffect(() => {
    // a page that is still drawn after one has left it must not call one back
    if (to && state === "idle" && here === window.location.pathname) void navigate(to, { replace: true });
  }, [to, state, here, navigate]);
}

export function GoOn({ to }: { to: string }): null {
  useGoOn(to);
  return null;
}
