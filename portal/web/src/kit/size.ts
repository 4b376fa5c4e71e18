import { useEffect, useRef, useState, type RefObject } from "react";

/** The width of an element as it changes; the given one until it is known. */
export function useElementWidth<T extends HTMLElement>(first: number): [RefObject<T | null>, number] {
  const holder = useRef<T>(null);
  const [width, setWidth] = useState(first);
  useEffect(() => {
    const element = holder.current;
    if (!element || typeof ResizeObserver === "undefined") return;
    const watch = new ResizeObserver(([entry]) => entry && entry.contentRect.width > 0 && setWidth(Math.round(entry.contentRect.width)));
    watch.observe(element);
    return () => watch.disconnect();
  }, []);
  return [holder, width];
}
