import { useEffect, useRef, useState, type RefObject } from "react";

/** Give the tab index of something that may scroll: reached by the keyboard where it does, no stop on the way where it does not. */
export function useScrolls<E extends HTMLElement>(): { ref: RefObject<E | null>; tabIndex: number } {
  const ref = useRef<E>(null);
  const [scrolls, setScrolls] = useState(false);
  useEffect(() => {
    const element = ref.current;
    if (!element) return;
    const look = (): void => setScrolls(element.scrollHeight > element.clientHeight + 1 || element.scrollWidth > element.clientWidth + 1);
    const sizes = new ResizeObserver(look);
    const contents = new MutationObserver(look);
    sizes.observe(element);
    contents.observe(element, { childList: true, subtree: true });
    return () => {
      sizes.disconnect();
      contents.disconnect();
    };
  }, []);
  return { ref, tabIndex: scrolls ? 0 : -1 };
}
