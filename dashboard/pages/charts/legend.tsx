/** A line of a legend, which also tells the value where the reader points. */
export interface LegendEntry {
  readonly label: string;
  readonly colour: string;
  readonly dash?: string | undefined;
  readonly shape: 'line' | 'area' | 'dot';
  /** The value at a place; the last one where there is none. */
  readonly textAt: (x: number | null) => string;
}

export function Legend(props: {
  readonly entries: readonly LegendEntry[];
  readonly at: number | null;
}) {
  return (
    <ul class="legend">
      {props.entries.map((entry) => (
        <li key={entry.label}>
          <LegendKey entry={entry} />
          <span class="label">{entry.label}</span>
          <span class="value">{entry.textAt(props.at)}</span>
        </li>
      ))}
    </ul>
  );
}

function LegendKey({ entry }: { readonly entry: LegendEntry }) {
  const { shape, colour, dash } = entry;
  return (
    <svg class="key" width="18" height="10" aria-hidden="true">
      {shape === 'area' && <rect x="3" width="12" height="10" rx="2" fill={colour} />}
      {shape === 'dot' && <circle cx="9" cy="5" r="3" fill={colour} />}
      {shape === 'line' && (
        <line
          x1="0"
          x2="18"
          y1="5"
          y2="5"
          stroke={colour}
          stroke-width="2"
          stroke-dasharray={dash}
        />
      )}
    </svg>
  );
}
