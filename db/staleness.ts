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
 * Ĩ = ρ^k·I + (1 − ρ^k)·φ·Ī (spec §3, φ: `fading` in dscl/importance.ts) at a step of the samples whose statistics are `known`, in a query that
 * has none of new ones: these have Ī. [ours]
 *
 * @param average Ī, an expression
 * @param halfLife in steps; null: an importance keeps its value until the next visit (ablation)
 */
export function currentImportance(
  { step, average }: { readonly step: number; readonly average: SQL },
  halfLife: number | null,
): SQL {
  const importance = sql`coalesce(known.importance, ${average})`;
  if (halfLife === null) return importance;
  const kept = keptShare(sql`${step}::integer - known.last_step`, halfLife);
  return sql`case when known.last_step is null then ${importance}
    else ${kept} * ${importance} + (1 - ${kept}) * known.fades_to * ${average} end`;
}
