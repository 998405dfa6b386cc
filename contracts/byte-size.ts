const UNITS: { readonly [unit: string]: number } = {
  MB: 1e6,
  GB: 1e9,
  MIB: 2 ** 20,
  GIB: 2 ** 30,
};

/** Whole bytes of a size such as `8GB` or `512 MiB`; null for what is none. */
export function byteSize(text: string): number | null {
  const [, number = '', unit = ''] = /^([\d.]+)\s?(\w+)$/.exec(text) ?? [];
  const bytes = Number(number) * (UNITS[unit.toUpperCase()] ?? Number.NaN);
  return Number.isFinite(bytes) ? Math.floor(bytes) : null;
}
