import assert from "node:assert/strict";
import {
  parseResponseCode,
  RESPONSE_CODES,
  type ResponseCode,
} from "../../../tpm/spec/response_codes.ts";

const ENTRIES = Object.entries(RESPONSE_CODES);

function isFormatOne(code: number): boolean {
  return code > 0 && code < 0x80 && code !== RESPONSE_CODES.TPM_RC_BAD_TAG;
}

Deno.test("every response code has its TCG name and a number of its own", () => {
  for (const [name] of ENTRIES) assert.match(name, /^TPM_RC_[A-Z0-9_]+$/);
  // TPM_RC_BAD_TAG is no format-one code, so it may look like one.
  const numbers = ENTRIES.map(([, code]) =>
    isFormatOne(code) ? code | 0x80 : code
  );
  assert.equal(new Set(numbers).size, ENTRIES.length);
});

Deno.test("every response code is recognized", () => {
  for (const [name, code] of ENTRIES) {
    const raw = isFormatOne(code) ? code | 0x80 : code;
    assert.deepEqual(parseResponseCode(raw), {
      raw,
      name,
      isWarning: raw >= 0x900,
      subject: undefined,
    }, name);
  }
});

Deno.test("parseResponseCode() says what a code blames", async (t) => {
  const rows: readonly [number, string, ResponseCode["subject"]][] = [
    [0x1c4, "TPM_RC_VALUE", { kind: "parameter", number: 1 }],
    [0x2c4, "TPM_RC_VALUE", { kind: "parameter", number: 2 }],
    [0xfc4, "TPM_RC_VALUE", { kind: "parameter", number: 15 }],
    [0x0c4, "TPM_RC_VALUE", undefined],
    [0x184, "TPM_RC_VALUE", { kind: "handle", number: 1 }],
    [0x78b, "TPM_RC_HANDLE", { kind: "handle", number: 7 }],
    [0x084, "TPM_RC_VALUE", undefined],
    [0x98e, "TPM_RC_AUTH_FAIL", { kind: "session", number: 1 }],
    [0xa9d, "TPM_RC_POLICY_FAIL", { kind: "session", number: 2 }],
    [0xf84, "TPM_RC_VALUE", { kind: "session", number: 7 }],
    [0x884, "TPM_RC_VALUE", undefined],
    [0x1f1, "TPM_RC_CHANNEL_KEY", { kind: "parameter", number: 1 }],
  ];
  for (const [raw, name, subject] of rows) {
    await t.step(`0x${raw.toString(16)}`, () => {
      const code = parseResponseCode(raw);
      assert.equal(code.name, name);
      assert.deepEqual(code.subject, subject);
      assert.equal(code.isWarning, false);
    });
  }
});

Deno.test("parseResponseCode() reads the code below a layer number", () => {
  const code = parseResponseCode(0x000b_0143);
  assert.equal(code.name, "TPM_RC_COMMAND_CODE");
  assert.equal(code.raw, 0x000b_0143);
});

Deno.test("parseResponseCode() names no code that it does not know", async (t) => {
  const rows: readonly [string, number][] = [
    ["an unused format-one code", 0x1bf],
    ["an unused version-one code", 0x1ff & ~0x80],
    ["an unused warning", 0x97f],
    ["a vendor's code", 0x500],
    ["a vendor's warning", 0xd22],
    ["a code of TPM 1.2", 0x003],
    ["a failure of another layer that is no TPM's", 0x000b_0000],
  ];
  for (const [name, raw] of rows) {
    await t.step(name, () => {
      assert.equal(parseResponseCode(raw).name, undefined);
    });
  }
});
