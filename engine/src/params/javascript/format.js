// `moment().format(…)`: the table of tokens and the long date formats of English.
(lib) => {
  'use strict';
  const { MONTHS, MONTHS_SHORT, WEEKDAYS, WEEKDAYS_SHORT, WEEKDAYS_MIN, ISO, US, dayOfYear, weekOf, ordinal, pad } = lib.civil;

  const LONG = {
    LTS: 'h:mm:ss A', LT: 'h:mm A', L: 'MM/DD/YYYY', LL: 'MMMM D, YYYY', LLL: 'MMMM D, YYYY h:mm A', LLLL: 'dddd, MMMM D, YYYY h:mm A',
  };
  for (const name of ['L', 'LL', 'LLL', 'LLLL']) {
    LONG[name.toLowerCase()] = LONG[name].replace(/MMMM|MM|DD|dddd/g, (token) => token.slice(1));
  }
  // Longest first, so that no token is read as two shorter ones.
  const TOKENS = [
    'YYYYYY', 'YYYYY', 'YYYY', 'YY', 'Y', 'ggggg', 'gggg', 'gg', 'GGGGG', 'GGGG', 'GG', 'Qo', 'Q', 'MMMM', 'MMM', 'MM', 'Mo', 'M', 'DDDD',
    'DDDo', 'DDD', 'DD', 'Do', 'D', 'dddd', 'ddd', 'dd', 'do', 'd', 'ww', 'wo', 'w', 'WW', 'Wo', 'W', 'e', 'E', 'a', 'A', 'Hmmss', 'Hmm', 'HH',
    'H', 'hmmss', 'hmm', 'hh', 'h', 'kk', 'k', 'mm', 'm', 'ss', 's', 'S{1,9}', 'x', 'X', 'zz', 'z', 'ZZ', 'Z',
  ];
  const PIECE = new RegExp(`\\[([^\\[]*)\\]|\\\\(${TOKENS.join('|')}|[\\s\\S])|(${TOKENS.join('|')})|([\\s\\S])`, 'g');
  const LONG_PIECE = /\[[^\[]*\]|\\[\s\S]|LTS|LT|LL?L?L?|l{1,4}/g;

  const expand = (format) => format.replace(LONG_PIECE, (piece) => LONG[piece] ?? piece);
  // A format as pieces: {literal} or {token}.
  const cut = (format) => {
    const pieces = [];
    for (const [, quoted, escaped, token, other] of expand(format).matchAll(PIECE)) {
      pieces.push(token === undefined ? { literal: quoted ?? escaped ?? other } : { token });
    }
    return pieces;
  };

  const offsetText = (minutes, colon) => {
    const size = Math.abs(minutes);
    return (minutes < 0 ? '-' : '+') + pad(Math.floor(size / 60), 2) + colon + pad(size % 60, 2);
  };
  const half = (hour) => hour % 12 || 12;
  const longYear = (year, width) => (year < 0 ? '-' : year > 9999 || width === 6 ? '+' : '') + pad(Math.abs(year), width);

  const token = (name, m, wall, f) => {
    switch (name) {
      case 'Y': return f.year <= 9999 ? String(f.year) : '+' + f.year;
      case 'YY': return pad(f.year % 100, 2);
      case 'YYYY': return pad(f.year, 4);
      case 'YYYYY': return pad(f.year, 5);
      case 'YYYYYY': return longYear(f.year, 6);
      case 'gg': return pad(weekOf(wall, US).year % 100, 2);
      case 'gggg': return pad(weekOf(wall, US).year, 4);
      case 'ggggg': return pad(weekOf(wall, US).year, 5);
      case 'GG': return pad(weekOf(wall, ISO).year % 100, 2);
      case 'GGGG': return pad(weekOf(wall, ISO).year, 4);
      case 'GGGGG': return pad(weekOf(wall, ISO).year, 5);
      case 'Q': return String(Math.floor(f.month / 3) + 1);
      case 'Qo': return ordinal(Math.floor(f.month / 3) + 1);
      case 'M': return String(f.month + 1);
      case 'Mo': return ordinal(f.month + 1);
      case 'MM': return pad(f.month + 1, 2);
      case 'MMM': return MONTHS_SHORT[f.month];
      case 'MMMM': return MONTHS[f.month];
      case 'D': return String(f.date);
      case 'Do': return ordinal(f.date);
      case 'DD': return pad(f.date, 2);
      case 'DDD': return String(dayOfYear(wall));
      case 'DDDo': return ordinal(dayOfYear(wall));
      case 'DDDD': return pad(dayOfYear(wall), 3);
      case 'd': case 'e': return String(f.day);
      case 'do': return ordinal(f.day);
      case 'dd': return WEEKDAYS_MIN[f.day];
      case 'ddd': return WEEKDAYS_SHORT[f.day];
      case 'dddd': return WEEKDAYS[f.day];
      case 'E': return String(f.day || 7);
      case 'w': return String(weekOf(wall, US).week);
      case 'wo': return ordinal(weekOf(wall, US).week);
      case 'ww': return pad(weekOf(wall, US).week, 2);
      case 'W': return String(weekOf(wall, ISO).week);
      case 'Wo': return ordinal(weekOf(wall, ISO).week);
      case 'WW': return pad(weekOf(wall, ISO).week, 2);
      case 'a': return f.hour < 12 ? 'am' : 'pm';
      case 'A': return f.hour < 12 ? 'AM' : 'PM';
      case 'H': return String(f.hour);
      case 'HH': return pad(f.hour, 2);
      case 'h': return String(half(f.hour));
      case 'hh': return pad(half(f.hour), 2);
      case 'k': return String(f.hour || 24);
      case 'kk': return pad(f.hour || 24, 2);
      case 'hmm': return half(f.hour) + pad(f.minute, 2);
      case 'hmmss': return half(f.hour) + pad(f.minute, 2) + pad(f.second, 2);
      case 'Hmm': return f.hour + pad(f.minute, 2);
      case 'Hmmss': return f.hour + pad(f.minute, 2) + pad(f.second, 2);
      case 'm': return String(f.minute);
      case 'mm': return pad(f.minute, 2);
      case 's': return String(f.second);
      case 'ss': return pad(f.second, 2);
      case 'x': return String(m.valueOf());
      case 'X': return String(m.unix());
      case 'z': return m.zoneAbbr();
      case 'zz': return m.zoneName();
      case 'Z': return offsetText(m.utcOffset(), ':');
      case 'ZZ': return offsetText(m.utcOffset(), '');
      default: return pad(f.millisecond, 3).padEnd(9, '0').slice(0, name.length);
    }
  };

  lib.cutFormat = cut;
  lib.offsetText = offsetText;
  lib.format = (m, wall, format) => {
    const f = lib.civil.fields(wall);
    return cut(format).map((piece) => piece.literal ?? token(piece.token, m, wall, f)).join('');
  };
}
