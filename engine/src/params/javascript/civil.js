// What `moment` knows of the calendar: units and their names, weeks, months, the English words. Everything here works on the
// wall clock held as milliseconds, as if it were UTC; zones come in only in moment.js.
(lib) => {
  'use strict';
  const Native = lib.NativeDate;
  const SECOND = 1000;
  const MINUTE = 60 * SECOND;
  const HOUR = 60 * MINUTE;
  const DAY = 24 * HOUR;
  const MONTHS = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November', 'December'];
  const WEEKDAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
  const short = (names) => names.map((name) => name.slice(0, 3));

  // Unit → its short name; the plural and, in lower case, the name itself are accepted too.
  const SHORT = {
    year: 'y', quarter: 'Q', month: 'M', week: 'w', isoWeek: 'W', day: 'd', date: 'D', dayOfYear: 'DDD', weekday: 'e', isoWeekday: 'E',
    weekYear: 'gg', isoWeekYear: 'GG', hour: 'h', minute: 'm', second: 's', millisecond: 'ms',
  };
  const units = new Map();
  for (const [unit, shorthand] of Object.entries(SHORT)) {
    for (const name of [unit.toLowerCase(), unit.toLowerCase() + 's', shorthand]) units.set(name, unit);
  }
  const normalize = (name) => (typeof name === 'string' ? units.get(name) ?? units.get(name.toLowerCase()) : undefined);

  const utc = (year, month, day, hour = 0, minute = 0, second = 0, ms = 0) => {
    // A date of NaN that is given a year becomes one.
    if (Number.isNaN(year + month + day)) return NaN;
    // `Date.UTC` reads the years 0 to 99 as 1900 to 1999.
    const date = new Native(0);
    date.setUTCFullYear(year, month, day);
    date.setUTCHours(hour, minute, second, ms);
    return date.getTime();
  };
  const fields = (wall) => {
    const date = new Native(wall);
    return {
      year: date.getUTCFullYear(), month: date.getUTCMonth(), date: date.getUTCDate(), day: date.getUTCDay(), hour: date.getUTCHours(),
      minute: date.getUTCMinutes(), second: date.getUTCSeconds(), millisecond: date.getUTCMilliseconds(),
    };
  };
  const daysInMonth = (year, month) => new Native(utc(year, month + 1, 0)).getUTCDate();
  const isLeap = (year) => (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const dayOfYear = (wall) => {
    const { year } = fields(wall);
    return Math.floor((wall - utc(year, 0, 1)) / DAY) + 1;
  };
  // Weeks begin on `first`; the first week of a year is the one that holds 4 January (ISO) or 1 January.
  const ISO = { first: 1, anchor: 4 };
  const US = { first: 0, anchor: 1 };
  const startOfWeek = (day, rule) => {
    const weekday = new Native(day).getUTCDay();
    return day - ((weekday - rule.first + 7) % 7) * DAY;
  };
  const firstWeek = (year, rule) => startOfWeek(utc(year, 0, rule.anchor), rule);
  const weekOf = (wall, rule) => {
    const day = Math.floor(wall / DAY) * DAY;
    let { year } = fields(day);
    if (day >= firstWeek(year + 1, rule)) year += 1;
    else if (day < firstWeek(year, rule)) year -= 1;
    return { year, week: Math.floor((day - firstWeek(year, rule)) / (7 * DAY)) + 1 };
  };
  const weeksInYear = (year, rule) => Math.round((firstWeek(year + 1, rule) - firstWeek(year, rule)) / (7 * DAY));
  const mod = (n, by) => ((n % by) + by) % by;
  const towardsZero = (n) => (n < 0 ? Math.ceil(n) || 0 : Math.floor(n));
  const roundAway = (n) => (n < 0 ? -Math.round(-n) : Math.round(n));
  const ordinal = (n) => {
    const tens = Math.floor((n % 100) / 10);
    return n + (tens === 1 ? 'th' : ['th', 'st', 'nd', 'rd'][n % 10] ?? 'th');
  };
  const pad = (n, width) => (n < 0 ? '-' : '') + String(Math.abs(n)).padStart(width, '0');

  lib.civil = {
    SECOND, MINUTE, HOUR, DAY, MONTHS, WEEKDAYS, MONTHS_SHORT: short(MONTHS), WEEKDAYS_SHORT: short(WEEKDAYS),
    WEEKDAYS_MIN: WEEKDAYS.map((name) => name.slice(0, 2)), ISO, US, normalize, utc, fields, daysInMonth, isLeap, dayOfYear,
    weekOf, firstWeek, weeksInYear, mod, towardsZero, roundAway, ordinal, pad,
  };
}
