"""Makes playlist-session.jsonl: an evening in which people edit 20 shared playlists together.

Each line is one call of Publish as the playlist service would make it: `at` is milliseconds since the session began,
`filter` the playlist's id, `data` the event that screens receive. `revision` counts the events of a playlist, so that
a listener can tell whether it has all of them. The output depends on nothing but this file.

    python3 tests/data/playlist_session.py > tests/data/playlist-session.jsonl
"""

import datetime
import json
import random
import sys

PLAYLISTS = 20
EVENTS = 400
BEGAN = datetime.datetime(2026, 3, 14, 19, 30, tzinfo=datetime.timezone.utc)
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

PEOPLE = ["Ana", "Björn", "Chidi", "Дарья", "Élodie", "فاطمة", "Giorgos", "花子", "Iñigo", "João", "Kübra", "Łukasz"]
NAMES = [
    "Friday Night 🎉", "Küchenparty", "Road trip 2026", "勉強用BGM", "Slow Sunday", "Gym – no excuses", "Pour l'apéro",
    "Kids' car songs", "Новый год", "Deep Focus", "90s “guilty” pleasures", "Fiesta en la playa 🏖️", "Jazz at 2 a.m.",
    "أغاني الصباح", "Wedding: dinner", "Wedding: dance floor", "Rainy day ☔", "Songs to cook to", "New in March", "Untitled",
]
TRACKS = [
    ("Für immer und dich", "Die Nachtbusse"), ("Señorita de la noche", "Los Faroles"), ("夜に駆ける電車", "ミナト"),
    ("Don't Wait Up", "Paper Lanterns"), ("Ça ira mieux demain", "Léo & les Autres"), ("99 Ways Home", "The Ferrymen"),
    ("Белые ночи", "Северный ветер"), ("Hjem igjen", "Fjordlys"), ("Coração de vidro", "Marisa do Porto"),
    ("Half/Light (Remix)", "OKO feat. Anaïs"), ("يا ليل", "نجوم الشام"), ("Sunday \"Blues\" No. 4", "Old Mill Trio"),
    ("Glitter & Gravel", "Rosé Riot"), ("기다림", "달빛소년"), ("Tänzer im Regen", "Blau"), ("Ω", "Null Island"),
    ("Naïve Melody Again", "Café Décaf"), ("Þrír dagar", "Hraun"), ("Back\\slash", "The Escape Characters"),
    ("👩‍🎤 (Interlude)", "Zoë"), ("Mỗi ngày", "Phố Cổ"), ("Kanske imorgon", "Små Städer"),
]


class Session:
    def __init__(self, seed: int):
        self.random = random.Random(seed)
        self.at = 0
        self.people = [{"id": self.id("usr"), "name": name} for name in PEOPLE]
        self.tracks = [self.track(title, artist) for title, artist in TRACKS]
        self.playlists = [self.playlist(name) for name in NAMES[:PLAYLISTS]]

    def id(self, prefix: str) -> str:
        return f"{prefix}_" + "".join(self.random.choice(ALPHABET) for _ in range(22))

    def track(self, title: str, artist: str) -> dict:
        duration = self.random.randrange(61_000, 540_000)
        return {"id": self.id("trk"), "title": title, "artist": artist, "durationMs": duration}

    def playlist(self, name: str) -> dict:
        # Who edits it, which entries it has, and how many events there were. An entry is a track's place in a playlist.
        members = self.random.sample(self.people, self.random.randint(2, 5))
        entries = [self.id("ent") for _ in range(self.random.randint(3, 12))]
        return {"id": self.id("pl"), "name": name, "members": members, "entries": entries, "present": [], "revision": 0}

    def line(self) -> dict:
        self.at += self.random.choice([40, 110, 180, 350, 700, 1500, 4000])
        playlist = self.random.choice(self.playlists)
        playlist["revision"] += 1
        moment = BEGAN + datetime.timedelta(milliseconds=self.at)
        event = {
            "type": None,
            "revision": playlist["revision"],
            "at": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "actor": self.random.choice(playlist["members"]),
        }
        event.update(self.change(playlist))
        return {"at": self.at, "domain": "PLAYLIST", "filter": playlist["id"], "data": event}

    def change(self, playlist: dict) -> dict:
        entries = playlist["entries"]
        kinds = ["added"] * 8 + ["presence"] * 4 + ["renamed"]
        if len(entries) > 3:
            kinds += ["removed"] * 3 + ["moved"] * 4 + ["reordered"]
        return getattr(self, self.random.choice(kinds))(playlist, entries)

    def added(self, _playlist: dict, entries: list) -> dict:
        index = self.random.randint(0, len(entries))
        entries.insert(index, self.id("ent"))
        track = self.random.choice(self.tracks)
        return {"type": "track.added", "entry": entries[index], "index": index, "track": track}

    def removed(self, _playlist: dict, entries: list) -> dict:
        index = self.random.randrange(len(entries))
        return {"type": "track.removed", "entry": entries.pop(index), "index": index}

    def moved(self, _playlist: dict, entries: list) -> dict:
        start, end = self.random.sample(range(len(entries)), 2)
        entry = entries.pop(start)
        entries.insert(end, entry)
        return {"type": "track.moved", "entry": entry, "from": start, "to": end}

    def reordered(self, _playlist: dict, entries: list) -> dict:
        by = self.random.choice(["title", "artist", "addedAt", "shuffle"])
        self.random.shuffle(entries)
        return {"type": "playlist.reordered", "by": by, "entries": list(entries)}

    def renamed(self, playlist: dict, _entries: list) -> dict:
        old, playlist["name"] = playlist["name"], self.random.choice(NAMES)
        description = self.random.choice([None, "", "Add whatever you like!\nNo skipping.", "für Oma 💛"])
        return {"type": "playlist.renamed", "name": playlist["name"], "previous": old, "description": description}

    def presence(self, playlist: dict, _entries: list) -> dict:
        person = self.random.choice(playlist["members"])
        joined = person not in playlist["present"]
        (playlist["present"].append if joined else playlist["present"].remove)(person)
        here = [{"id": one["id"], "scroll": round(self.random.random(), 3)} for one in playlist["present"]]
        return {"type": "presence", "joined": joined, "person": person["id"], "here": here}


def main() -> None:
    session = Session(seed=20260314)
    for _ in range(EVENTS):
        print(json.dumps(session.line(), ensure_ascii=False, separators=(",", ":")))


sys.stdout.reconfigure(encoding="utf-8")
main()
