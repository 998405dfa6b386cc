import { useMemo } from 'preact/hooks';
import type { CompareMetric, ComparedRun } from '../../model/compare-metrics.ts';
import type { ConfigGroup } from '../../model/config-groups.ts';
import { extent } from '../../model/extent.ts';
import { brief, fixed, percent } from '../../model/number-text.ts';
import { seedBand } from '../../model/seed-bands.ts';
import { CursorProvider } from '../charts/cursor-provider.tsx';
import { LineChart, type LineSeries } from '../charts/line-chart.tsx';
import { lineStyle } from '../charts/palette.ts';

/** A line for each configuration: the mean over its seeds, with the 95% interval of that mean; and one for each further run of a seed. */
export function CompareChart(props: {
  readonly runs: readonly ComparedRun[];
  readonly groups: readonly ConfigGroup[];
  readonly metric: CompareMetric;
}) {
  const { runs, groups, metric } = props;
  const series = useMemo(
    () =>
      groups.map((group, index): LineSeries => {
        const curves = runs
          .filter(({ detail }) => group.runs.includes(detail.overview.run))
          .map((run) => metric.curve(run));
        return {
          label: group.independent ? `${group.label} (${seeds(group)})` : group.label,
          ...lineStyle(index),
          points: seedBand(curves),
        };
      }),
    [runs, metric],
  );
  const [, most] = extent(
    series.flatMap(({ points }) => points.map(({ x }) => x)),
    [1],
  );
  return (
    <CursorProvider>
      <div class="charts one">
        <LineChart
          title={`${metric.name.slice(0, 1).toUpperCase()}${metric.name.slice(1)}`}
          height={320}
          file={`compare-${metric.name}`}
          series={series}
          xDomain={[0, most]}
          xName="tokens"
          xText={brief}
          {...(metric.share ? { yDomain: SHARE } : {})}
          yText={(y) => (metric.share ? percent(y, metric.digits) : fixed(y, metric.digits))}
          note="Over generated tokens. Bands: 95% interval of the mean over seeds; a line ends where the first of its seeds does. A further run of a seed has a line of its own."
        />
      </div>
    </CursorProvider>
  );
}

const SHARE = [0, 1] as const;

function seeds({ runs }: ConfigGroup): string {
  return runs.length === 1 ? '1 seed' : `${runs.length} seeds`;
}
