import type { ReactNode } from "react";
import { failureOf, type ApiError } from "../api";
import { ErrorState, Forbidden } from "../kit";
import { useText } from "../shell";

/** What could not be read: not allowed, with what it needs and who can grant it, or failed, with another try. */
export function Failed({ error, what, needs, again }: { error: ApiError; what: string; needs: string; again?: () => void }): ReactNode {
  const say = useText("identity");
  if (error.status === 403 || error.status === 404) {
    return (
      <Forbidden title={say("forbidden.title", { what })}>
        {say("forbidden.needs")} <code>{needs}</code>. {say("forbidden.who")} <span className="k-quiet">{error.message}</span>
      </Forbidden>
    );
  }
  return <ErrorState failure={failureOf(error, say("unreadable", { what }))} onRetry={again} />;
}
