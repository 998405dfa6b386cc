import { sql, type SQL } from 'drizzle-orm';

/**
 * ρ^age, what staleness leaves of an importance after some steps: ½ after a half-life. [ours]
 *
 * @param age steps, an integer expression
 * @param halfLife in steps
 */
export function keptShare(age: SQL, halfLife: number): SQL {
  const halvings = sql`(${age}) / ${halfLife}::float8`;
  // Postgres refuses a power that underflows; beyond this bound it is 0 for all that matters.
  return sql`case when ${halvings} > 1000 then 0 else power(0.5::float8, ${halvings}) end`;
}

/**
 * Ĩ = ρ^k·I + (1 − ρ^k)·φ·Ī (spec §3, φ: `fading` in dscl/importance.ts); of a sample never visited, whose `lastStep` is null, its importance. [ours]
 *
 * @param halfLife in steps; null: an importance keeps its value until the next visit (ablation)
 */
export function staleImportance(
  of: {
    readonly importance: SQL;
    readonly fadesTo: SQL;
    readonly lastStep: SQL;
    readonly average: SQL;
  },
  step: number,
  halfLife: number | null,
): SQL {
  if (halfLife === null) return of.importance;
  const kept = keptShare(sql`${step}::integer - ${of.lastStep}`, halfLife);
  return sql`case when ${of.lastStep} is null then ${of.importance}
    else ${kept} * ${of.importance} + (1 - ${kept}) * ${of.fadesTo} * ${of.average} end`;
}

/** Ĩ at a step of the samples whose statistics are `known`, in a query that has no row of them for new ones. */
export function currentImportance(
  { step, average }: { readonly step: number; readonly average: SQL },
  halfLife: number | null,
): SQL {
  return staleImportance(
    {
      importance: sql`coalesce(known.importance, ${average})`,
      fadesTo: sql`known.fades_to`,
      lastStep: sql`known.last_step`,
      average,
    },
    step,
    halfLife,
  );
}
