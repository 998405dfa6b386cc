import type { ReportData } from '../../model/report-data.ts';
import type { Source } from './source.ts';

/** The data that this file carries; null where the page comes from a server. */
export function findReport(): ReportData | null {
  const text = document.getElementById('report')?.textContent;
  return text === undefined || text === null ? null : (JSON.parse(text) as ReportData);
}

/** Data from the report that this page is part of; nothing ever changes. */
export function reportSource({ answers, ...report }: ReportData): Source {
  return {
    report,
    async load(path) {
      if (Object.hasOwn(answers, path)) return answers[path];
      throw new Error('This report was made without it, to stay small. `toolsample ui` has it.');
    },
    onChange: () => () => undefined,
    onCondition(listener) {
      listener('well');
      return () => undefined;
    },
  };
}
