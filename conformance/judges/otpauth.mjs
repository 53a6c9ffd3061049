// Codes of an authenticator app that read the otpauth URL. In: {url, at: [unix
// seconds]}; out: {codes, algorithm, digits, period, bits}.
import { URI } from 'otpauth';
import { text } from 'node:stream/consumers';

const { url, at } = JSON.parse(await text(process.stdin));
const totp = URI.parse(url);
console.log(JSON.stringify({
  codes: at.map((s) => totp.generate({ timestamp: s * 1000 })),
  algorithm: totp.algorithm, digits: totp.digits, period: totp.period, bits: totp.secret.bytes.length * 8,
}));
