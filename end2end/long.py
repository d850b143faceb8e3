# Gives a project of a running CodeFlow (SQLite) a long past: so many messages, each with a run of 40 tool calls.
# Arguments: the database's file, the project's id, how many prompts.
import json, sqlite3, sys, uuid

path, project, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
db = sqlite3.connect(path, timeout=30)
db.execute("BEGIN IMMEDIATE")
begun, = db.execute("SELECT created_at FROM projects WHERE id = ?", (project,)).fetchone()
seq, = db.execute("SELECT last_seq FROM projects WHERE id = ?", (project,)).fetchone()


def identity(number):
    # As version 7, from before the project's own: ids sort by time.
    at = begun - 10_000_000 + number
    return str(uuid.UUID(int=(at << 80) | (7 << 76) | (2 << 62) | number))


def event(run, subject, kind, at):
    global seq
    seq += 1
    row = (project, seq, run, subject, kind["type"], json.dumps(kind), at)
    db.execute("INSERT INTO events (project_id, seq, run_id, subject, name, kind, created_at) VALUES (?,?,?,?,?,?,?)", row)


for number in range(count):
    prompt, reply, run = identity(3 * number), identity(3 * number + 1), identity(3 * number + 2)
    at = begun - 10_000_000 + 3 * number
    message = "INSERT INTO messages (id, project_id, role, kind, content, created_at) VALUES (?,?,?,?,?,?)"
    db.execute(message, (prompt, project, "user", "prompt", f"Old message {number + 1}", at))
    said = f"Answer {number + 1} with `code` and **words**.\n\n- one\n- two\n"
    db.execute(message, (reply, project, "assistant", "result", said, at + 1))
    columns = "id, project_id, message_id, reply_id, state, created_at, started_at, finished_at, worked_ms, trimmed"
    db.execute(f"INSERT INTO runs ({columns}) VALUES (?,?,?,?,'succeeded',?,?,?,0,0)", (run, project, prompt, reply, at, at, at + 1))
    for call in range(40):
        step = f"turn-{call + 1}-terminal-1"
        tool = {"step": step, "tool": "terminal", "title": f"echo {call}", "output": "x" * 2000, "failed": False}
        event(run, f"tool:{step}", {"type": "tool", "tool": tool}, at)
db.execute("UPDATE projects SET last_seq = ? WHERE id = ?", (seq, project))
db.commit()
