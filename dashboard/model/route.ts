/** What the address names, after the #. */
export type Route =
  | { readonly page: 'runs' }
  | { readonly page: 'run'; readonly run: string }
  | { readonly page: 'samples'; readonly run: string }
  | { readonly page: 'sample'; readonly run: string; readonly sample: string }
  | {
      readonly page: 'rollouts';
      readonly run: string;
      readonly step: number | null;
      readonly rank: number | null;
    }
  | { readonly page: 'compare'; readonly runs: readonly string[] };

/** The address of a page, to be put into a link. */
export function hrefOf(route: Route): string {
  switch (route.page) {
    case 'runs':
      return '#/';
    case 'run':
      return parts('runs', route.run);
    case 'samples':
      return parts('runs', route.run, 'samples');
    case 'sample':
      return parts('runs', route.run, 'samples', route.sample);
    case 'rollouts':
      return parts(
        'runs',
        route.run,
        'rollouts',
        ...(route.step === null ? [] : [route.step]),
        ...(route.step === null || route.rank === null ? [] : [route.rank]),
      );
    default:
      return parts('compare', ...route.runs);
  }
}

function parts(...names: readonly (string | number)[]): string {
  return `#/${names.map((name) => encodeURIComponent(name)).join('/')}`;
}

/** What an address names; the list of runs where it names nothing that there is. */
export function routeOf(hash: string): Route {
  const [first, run, page, ...rest] = hash
    .replace(/^#\/?/, '')
    .split('/')
    .filter((part) => part !== '')
    .map(decoded);
  if (first === 'compare')
    return { page: 'compare', runs: [run, page, ...rest].filter((name) => name !== undefined) };
  if (first !== 'runs' || run === undefined) return { page: 'runs' };
  const [place, rank] = rest;
  if (page === 'samples')
    return place === undefined ? { page, run } : { page: 'sample', run, sample: place };
  if (page === 'rollouts') return { page, run, step: natural(place), rank: natural(rank) };
  return { page: 'run', run };
}

function natural(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : null;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
