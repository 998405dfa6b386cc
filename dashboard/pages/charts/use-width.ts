import { useEffect, useState } from 'preact/hooks';

/** The width of an element in CSS pixels, as it changes; 0 before it is known. */
export function useWidth(place: { readonly current: HTMLElement | null }): number {
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const element = place.current;
    if (element === null) return undefined;
    const observer = new ResizeObserver((entries) => {
      const found = entries.at(-1)?.contentRect.width ?? 0;
      setWidth(Math.floor(found));
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
    };
  }, [place]);
  return width;
}
