import { useEffect } from 'preact/hooks';
import { ComparePage } from '../compare/compare-page.tsx';
import { RolloutsPage } from '../rollouts/rollouts-page.tsx';
import { RunPage } from '../run/run-page.tsx';
import { RunsPage } from '../runs/runs-page.tsx';
import { SamplePage } from '../samples/sample-page.tsx';
import { SamplesPage } from '../samples/samples-page.tsx';
import { Header } from './header.tsx';
import type { Route } from '../../model/route.ts';
import { useRoute } from './use-route.ts';
import { SourceContext, type Source } from './source.ts';

/** All pages, with the header that they share. */
export function App({ source }: { readonly source: Source }) {
  const route = useRoute();
  useEffect(() => {
    document.title = titleOf(route);
  }, [route.page, 'run' in route ? route.run : '']);
  return (
    <SourceContext.Provider value={source}>
      <a class="skip" href="#main" onClick={skipToMain}>
        Skip to the content
      </a>
      <Header route={route} />
      <main id="main" tabIndex={-1}>
        <Page route={route} />
      </main>
    </SourceContext.Provider>
  );
}

function Page({ route }: { readonly route: Route }) {
  switch (route.page) {
    case 'runs':
      return <RunsPage />;
    case 'run':
      return <RunPage key={route.run} run={route.run} />;
    case 'samples':
      return <SamplesPage key={route.run} run={route.run} />;
    case 'sample':
      return (
        <SamplePage key={`${route.run}/${route.sample}`} run={route.run} sample={route.sample} />
      );
    case 'rollouts':
      return <RolloutsPage key={route.run} run={route.run} step={route.step} rank={route.rank} />;
    default:
      return <ComparePage runs={route.runs} />;
  }
}

/** The address holds the page, so that a plain link to the content would leave it. */
function skipToMain(event: Event): void {
  event.preventDefault();
  document.getElementById('main')?.focus();
}

function titleOf(route: Route): string {
  const page = {
    runs: 'runs',
    run: '',
    samples: 'samples',
    sample: 'sample',
    rollouts: 'rollouts',
    compare: 'compare',
  }[route.page];
  const run = 'run' in route ? route.run : '';
  return [run, page, 'toolsample'].filter((part) => part !== '').join(' · ');
}
