/** A curve the size of a word; gaps where there is no value. */
export function SparkLine(props: {
  readonly values: readonly (number | null)[];
  readonly domain: readonly [number, number];
  readonly label: string;
}) {
  const { values, domain, label } = props;
  const [low, high] = domain;
  const x = (index: number): number => 2 + (index / Math.max(1, values.length - 1)) * 116;
  const y = (value: number): number => 22 - ((value - low) / Math.max(1e-9, high - low)) * 20;
  const known = values.flatMap((value, index) => (value === null ? [] : [{ index, value }]));
  const last = known.at(-1);
  const path = known
    .map(
      ({ index, value }, place) =>
        `${place === 0 ? 'M' : 'L'}${x(index).toFixed(1)},${y(value).toFixed(1)}`,
    )
    .join('');
  return (
    <svg class="spark" width="120" height="24" viewBox="0 0 120 24" role="img" aria-label={label}>
      <path d={path} fill="none" stroke="var(--c1)" stroke-width="1.5" stroke-linejoin="round" />
      {last !== undefined && (
        <circle cx={x(last.index)} cy={y(last.value)} r="2.25" fill="var(--c1)" />
      )}
    </svg>
  );
}
