import { render } from 'preact';
import { App } from './shell/app.tsx';
import { liveSource } from './shell/live-source.ts';
import { findReport, reportSource } from './shell/report-source.ts';

const place = document.getElementById('app');
if (place !== null) {
  const report = findReport();
  render(<App source={report === null ? liveSource() : reportSource(report)} />, place);
}
