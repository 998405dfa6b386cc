/** Headings under which `--help` and the documentation list the keys. */
export const GROUPS = [
  'Policy',
  'Training service',
  'Data',
  'Cold start',
  'Schedule',
  'Rollout',
  'DSCL',
  'Objective',
  'Optimiser',
  'Machine',
] as const;
export type Group = (typeof GROUPS)[number];

/** What `--help` and the documentation say of a setting. */
export const about = (
  group: Group,
  description: string,
): { group: Group; description: string } => ({
  group,
  description,
});
