import { useEffect, useState } from 'preact/hooks';
import { routeOf, type Route } from '../../model/route.ts';

/** The route of the window, as it changes. */
export function useRoute(): Route {
  const [hash, setHash] = useState(window.location.hash);
  useEffect(() => {
    const follow = (): void => {
      setHash(window.location.hash);
      window.scrollTo(0, 0);
    };
    window.addEventListener('hashchange', follow);
    return () => {
      window.removeEventListener('hashchange', follow);
    };
  }, []);
  return routeOf(hash);
}
