import { Component, type ErrorInfo, type ReactNode } from "react";
import { useRouteError } from "react-router";
import { Button, ErrorState } from "../kit";
import { sayNow } from "./i18n";

/** A page that failed says so in its own place; the frame stays. */
export class Boundary extends Component<{ children: ReactNode }, { error: Error | null }> {
  override state: { error: Error | null } = { error: null };

  static getDerivedStateFromError(error: Error): { error: Error } {
    return { error };
  }

  override componentDidCatch(error: Error, info: ErrorInfo): void {
    console.error("a page failed", error, info.componentStack);
  }

  override render(): ReactNode {
    const { error } = this.state;
    return error ? <Failed error={error} /> : this.props.children;
  }
}

/** What is shown in place of a page that failed, or that this build no longer has. */
export function Failed({ error }: { error: unknown }): ReactNode {
  const message = error instanceof Error ? error.message : String(error);
  const missing = /dynamically imported module|Importing a module|Failed to fetch/i.test(message);
  const failure = {
    title: sayNow(missing ? "shell:boundary.outdated" : "shell:boundary.failed"),
    detail: missing ? undefined : message,
    code: missing ? "portal.outdated" : "portal.failed",
  };
  return (
    <ErrorState
      failure={failure}
      actions={<Button icon="refresh" onClick={() => window.location.reload()}>{sayNow("shell:boundary.reload")}</Button>}
    />
  );
}

/** The same for what the router meets while it brings a page. */
export const RouteFailed = (): ReactNode => <Failed error={useRouteError()} />;
