import { useEffect, useState } from 'preact/hooks';
import { moment } from '../../model/number-text.ts';
import { hrefOf, type Route } from '../../model/route.ts';
import { useSource, type Condition } from './source.ts';

/** Name, pages of the run, and whether what is shown is live. */
export function Header({ route }: { readonly route: Route }) {
  const source = useSource();
  const [condition, setCondition] = useState<Condition>('well');
  const [since, setSince] = useState('');
  useEffect(
    () =>
      source.onCondition((next) => {
        setCondition(next);
        setSince(new Date().toLocaleTimeString());
      }),
    [source],
  );
  const run = 'run' in route ? route.run : null;
  return (
    <>
      <header class="top">
        <nav aria-label="Pages">
          <span class="brand">toolsample</span>
          <Tab route={route} to={{ page: 'runs' }} text="Runs" />
          {run !== null && (
            <>
              <Tab route={route} to={{ page: 'run', run }} text="Overview" />
              <Tab route={route} to={{ page: 'samples', run }} also="sample" text="Samples" />
              <Tab
                route={route}
                to={{ page: 'rollouts', run, step: null, rank: null }}
                text="Rollouts"
              />
            </>
          )}
          <Tab
            route={route}
            to={{ page: 'compare', runs: run === null ? [] : [run] }}
            text="Compare"
          />
        </nav>
        <Liveness condition={condition} />
      </header>
      {condition !== 'well' && (
        <p class="banner" role="alert">
          {condition === 'trouble'
            ? 'Postgres does not answer. '
            : 'The dashboard’s server does not answer. '}
          {condition === 'trouble' ? (
            <>
              <code>toolsample up</code> starts it.{' '}
            </>
          ) : (
            <>
              <code>toolsample ui</code> starts it, on the same port where that is free.{' '}
            </>
          )}
          What is shown was true at {since}; this page tries again by itself.
        </p>
      )}
    </>
  );
}

function Tab(props: {
  readonly route: Route;
  readonly to: Route;
  readonly also?: Route['page'];
  readonly text: string;
}) {
  const { route, to, also, text } = props;
  const here = route.page === to.page || route.page === also;
  return (
    <a class="tab" href={hrefOf(to)} aria-current={here ? 'page' : undefined}>
      {text}
    </a>
  );
}

function Liveness({ condition }: { readonly condition: Condition }) {
  const { report } = useSource();
  if (report !== null) {
    return (
      <span class="liveness" title={report.leftOut.join('\n')}>
        report of {moment(report.madeAt)}
      </span>
    );
  }
  return (
    <span class={`liveness ${condition}`}>
      <span class="dot" aria-hidden="true" />
      <span class="word">{condition === 'well' ? 'live' : 'not connected'}</span>
    </span>
  );
}
