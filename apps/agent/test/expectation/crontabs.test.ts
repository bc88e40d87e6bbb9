/** Crontabs as crontab(5) and Debian's cron(8) have them, in a folder that stands for the machine's root. */
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readCrontabs } from "../../src/expectation/crontabs.ts";

const SINCE = Date.parse("2026-01-02T03:04:05Z");
let root = "";

beforeEach(() => void (root = mkdtempSync(join(tmpdir(), "bhk-cron-"))));
afterEach(() => rmSync(root, { recursive: true }));

function put(path: string, text: string, mode = 0o644): void {
  const at = join(root, path);
  mkdirSync(dirname(at), { recursive: true });
  writeFileSync(at, text);
  chmodSync(at, mode);
  utimesSync(at, SINCE / 1000, SINCE / 1000);
}

const read = (daemon = { runs: true, unit: "cron.service" }) => readCrontabs({ root, daemon });
const lines = () =>
  read().schedules.map(
    ({ name, expression, timeZone }) => `${name}: ${expression}${timeZone ? ` ${timeZone}` : ""}`,
  );

test("lines of the machine's table, of cron.d and of users, each by its place", () => {
  put(
    "/etc/crontab",
    "# m h dom mon dow user command\nSHELL=/bin/sh\nPASSWORD=hunter2\n\n17 * * * * root /bin/true hunter2\n",
  );
  put(
    "/etc/cron.d/report",
    "CRON_TZ=Asia/Tokyo\n0 3 1 * *  app  /opt/report\n@reboot app /opt/start\n",
  );
  put("/etc/cron.d/old.dpkg-dist", "* * * * * root no\n");
  put("/var/spool/cron/crontabs/alice", "*/5 9-17 * * mon-fri curl -u alice:hunter2 http://x\n");
  expect(lines()).toEqual([
    "cron /etc/crontab line 5: 17 * * * *",
    "cron /etc/cron.d/report line 2: 0 3 1 * * Asia/Tokyo",
    "cron /etc/cron.d/report line 3: @reboot Asia/Tokyo",
    "cron /var/spool/cron/crontabs/alice line 1: */5 9-17 * * mon-fri",
  ]);
  expect(read().schedules[0]).toMatchObject({ since: SINCE, unit: "cron.service" });
  expect(JSON.stringify(read())).not.toContain("hunter2");
});

test("broken lines are told and hinder no others, and nothing of them is quoted", () => {
  put("/etc/crontab", "0 3 * * hunter2; root x\n0 3 * *\n@daily root\n0 4 * * * root ok\n");
  const { schedules, problems } = read();
  expect(schedules.map(({ name }) => name)).toEqual(["cron /etc/crontab line 4"]);
  expect(problems).toEqual([
    "/etc/crontab line 1: its times cannot be read",
    "/etc/crontab line 2: it has no times, user and command",
    "/etc/crontab line 3: it has no times, user and command",
  ]);
  expect(JSON.stringify(read())).not.toContain("hunter2");
});

const PARTS =
  "17 * * * * root cd / && run-parts --report /etc/cron.hourly\n25 6 * * * root test -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.daily; }\n";

test("what run-parts goes through runs when its line says, but for names that it leaves out", () => {
  put("/etc/crontab", PARTS);
  put("/etc/cron.hourly/sync", "", 0o755);
  put("/etc/cron.daily/logrotate", "", 0o755);
  put("/etc/cron.daily/logrotate.bak", "", 0o755);
  put("/etc/cron.daily/off", "", 0o644);
  put("/etc/cron.weekly/nobody-runs-it", "", 0o755);
  expect(lines()).toEqual([
    "cron /etc/cron.hourly/sync: 17 * * * *",
    "cron /etc/cron.daily/logrotate: 25 6 * * *",
  ]);
});

test("where anacron is, it runs all but the hourly ones, and keeps when it did", () => {
  put("/etc/crontab", PARTS);
  put("/usr/sbin/anacron", "", 0o755);
  put("/etc/cron.daily/logrotate", "", 0o755);
  put("/var/spool/anacron/cron.daily", "20260102\n");
  expect(read().schedules).toEqual([
    {
      name: "cron /etc/cron.daily/logrotate",
      kind: "cron",
      expression: "@daily",
      lastRun: SINCE,
      since: SINCE,
    },
  ]);
});

test("without a daemon nothing runs, and links are not followed", () => {
  put("/etc/crontab", "0 3 * * * root x\n");
  put("/etc/elsewhere", "0 3 * * * x\n");
  mkdirSync(join(root, "/var/spool/cron/crontabs"), { recursive: true });
  symlinkSync(join(root, "/etc/elsewhere"), join(root, "/var/spool/cron/crontabs/mallory"));
  expect(readCrontabs({ root, daemon: { runs: false } }).schedules).toMatchObject([
    { name: "cron /etc/crontab line 1", suspended: true },
  ]);
});

test("no cron at all", () => {
  expect(read()).toEqual({ schedules: [], problems: [] });
});

test("a user with thousands of lines hides nobody else's jobs, and it is said", () => {
  put("/etc/crontab", "0 4 * * * root cd / && run-parts --report /etc/cron.daily\n");
  put("/etc/cron.daily/backup", "#!/bin/sh\n", 0o755);
  for (const user of Array.from({ length: 12 }, (_, at) => `a${String(at).padStart(2, "0")}`))
    put(`/var/spool/cron/crontabs/${user}`, "* * * * * true\n".repeat(3000));
  put("/var/spool/cron/crontabs/zoe", "0 5 * * * /home/zoe/report\n");
  const { schedules, problems } = read();
  const names = schedules.map(({ name }) => name);
  expect(names).toContain("cron /etc/cron.daily/backup");
  expect(names.filter((name) => name.includes("/a00 "))).toHaveLength(200);
  expect(names).toHaveLength(2000);
  expect(problems).toHaveLength(12);
  expect(problems.join()).toContain("/a00: of 3000 lines only 200 are waited for");
});
