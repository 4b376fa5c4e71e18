import type { ReactNode } from "react";

/** The mark: the river's bore. */
export function Mark({ size = 20 }: { size?: number }): ReactNode {
  return (
    <svg className="s-logo" width={size} height={size} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <rect width="24" height="24" rx="6" fill="currentColor" />
      <path d="M5 14.5c3.2 0 3.6-7 8-7 2.2 0 3.4 1.2 3.4 2.6M5 17.5c5.4 0 5.2-6.4 9-6.4 2.6 0 3 2.2 5 2.2" fill="none" stroke="var(--on-brand)" strokeWidth="1.8" strokeLinecap="round" />
    </svg>
  );
}
