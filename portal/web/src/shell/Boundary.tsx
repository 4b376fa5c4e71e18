import { Component, type ErrorInfo, type ReactNode } from "react";
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
    if (!error) return this.props.children;
    const missing = /dynamically imported module|Importing a module|Failed to fetch/i.test(error.message);
    const failure = {
      title: sayNow(missing ? "shell:boundary.outdated" : "shell:boundary.failed"),
      detail: missing ? undefined : error.message,
      code: missing ? "portal.outdated" : "portal.failed",
    };
    return (
      <ErrorState
        failure={failure}
        actions={<Button icon="refresh" onClick={() => window.location.reload()}>{sayNow("shell:boundary.reload")}</Button>}
      />
    );
  }
}
