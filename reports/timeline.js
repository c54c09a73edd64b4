/* The timeline of the figure that this script ends: drawn on a canvas, where only what is in view costs anything, with
 * zoom, panning and details. Without it the figure keeps its still picture. */
(function () {
	"use strict";
	var figure = document.currentScript.parentNode;
	var data = JSON.parse(figure.querySelector("script[type='application/json']").textContent);
	var live = figure.querySelector(".tp-live"), canvas = live.querySelector("canvas");
	var about = live.querySelector(".tp-about"), brush = canvas.getContext("2d");
	var LEFT = 70, RIGHT = 18, TOP = 10, LANE = 30, PITCH = data.messages.length ? 50 : 40, AXIS = 38;
	var OP = 9, WAIT = 4, MESSAGE = 7; /* numbers of each, see timeline_html.c */
	var F = 0, U = 2;
	var words = ["forward", "backward", "update", "backward, input part", "backward, weights part"];
	var view = { from: data.from, to: data.to }, least = data.slots ? 2 : 20;
	var colours = {}, tiles = {}, ops = [], waits = [], chosen = -1, asked = false;

	/* Where the rows of each stage begin, and by halving the first that ends behind a time. */
	function byStage(rows, size) {
		var first = [], at = 0;
		for (var stage = 0; stage <= data.stages; stage++) {
			while (at < rows.length && rows[at] < stage) at += size;
			first.push(at / size);
		}
		return first;
	}
	function firstBehind(rows, size, place, low, high, time) {
		while (low < high) {
			var middle = (low + high) >> 1;
			if (rows[middle * size + place] + rows[middle * size + place + 1] < time) low = middle + 1;
			else high = middle;
		}
		return low;
	}
	ops = byStage(data.ops, OP);
	waits = byStage(data.waits, WAIT);

	function readColours() {
		var style = getComputedStyle(figure);
		["ink", "faint", "line", "paper", "lane", "wait", "held", "on", "c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7"].forEach(
			function (name) { colours[name] = style.getPropertyValue("--tp-" + name).trim(); });
		var on = colours.on, wait = colours.wait, held = colours.held;
		var up = [[-1, 1, 1, -1], [0, 6, 6, 0], [5, 7, 7, 5]], down = [[-1, 5, 1, 7], [0, 0, 6, 6], [5, -1, 7, 1]];
		tiles = {
			1: tile(on, 0.38, up), 3: tile(on, 0.38, down), 4: tile(on, 0.45, null),
			fill: tile(wait, 1, up), drain: tile(wait, 1, down), sender: tile(wait, 1, [[0, 3, 6, 3]]),
			message: tile(wait, 1, null), staleness: tile(held, 1, up.concat(down)), host: tile(wait, 1, [[3, 0, 3, 6]])
		};
	}
	/* The patterns of the still picture: lines, or a dot. */
	function tile(colour, opacity, lines) {
		var small = document.createElement("canvas"), pen = small.getContext("2d");
		small.width = small.height = 6;
		pen.globalAlpha = opacity;
		pen.strokeStyle = pen.fillStyle = colour;
		pen.beginPath();
		if (lines) lines.forEach(function (l) { pen.moveTo(l[0], l[1]); pen.lineTo(l[2], l[3]); });
		else pen.arc(3, 3, 1.3, 0, 7);
		if (lines) pen.stroke();
		else pen.fill();
		return brush.createPattern(small, "repeat");
	}

	function width() { return canvas.clientWidth - LEFT - RIGHT; }
	function xOf(time) { return LEFT + (time - view.from) * width() / (view.to - view.from); }
	function timeOf(x) { return view.from + (x - LEFT) * (view.to - view.from) / width(); }
	function yOf(stage) { return TOP + stage * PITCH; }

	function unitOf(step) {
		if (data.slots) return [1, "slots"];
		return step >= 1e9 ? [1e9, "s"] : step >= 1e6 ? [1e6, "ms"] : step >= 1e3 ? [1e3, "\u00b5s"] : [1, "ns"];
	}
	function timeText(time) {
		if (time === 0) return "0";
		if (data.slots) return time + (time === 1 ? " slot" : " slots");
		var unit = unitOf(Math.abs(time));
		return (time / unit[0]).toPrecision(4) + " " + unit[1];
	}
	function letters(micro) {
		var text = "";
		for (var rest = micro + 1; rest > 0; rest = Math.floor((rest - 1) / 26))
			text = String.fromCharCode(97 + (rest - 1) % 26) + text;
		return text;
	}
	function label(kind, mini, micro) {
		if (kind === U) return "U" + mini;
		if (kind === F) return mini + letters(Math.max(micro, 0)).toUpperCase();
		return mini + (micro < 0 ? "" : letters(micro)) + (kind === 4 ? "'" : "");
	}

	function drawAxis(bottom) {
		var step = 1, most = Math.max(2, width() / 80), i = 0;
		while ((view.to - view.from) / step > most) step *= [2, 2.5, 2][i++ % 3];
		step = Math.max(1, step);
		var unit = unitOf(step);
		brush.textAlign = "center";
		for (var time = Math.ceil(view.from / step) * step; time <= view.to; time += step) {
			var x = xOf(time);
			brush.strokeStyle = colours.line;
			brush.beginPath(); brush.moveTo(x, TOP - 4); brush.lineTo(x, bottom + 4); brush.stroke();
			brush.fillStyle = colours.faint;
			brush.fillText(String(+(time / unit[0]).toPrecision(12)), x, bottom + 16);
		}
		brush.fillText("time from the start of the epoch, " + unit[1], LEFT + width() / 2, bottom + 32);
	}
	function drawWaits(stage, y) {
		for (var i = firstBehind(data.waits, WAIT, 2, waits[stage], waits[stage + 1], view.from); i < waits[stage + 1]; i++) {
			var at = i * WAIT, left = xOf(data.waits[at + 2]);
			if (data.waits[at + 2] > view.to) break;
			brush.fillStyle = tiles[data.causes[data.waits[at + 1]]];
			brush.fillRect(left, y + LANE / 4, xOf(data.waits[at + 2] + data.waits[at + 3]) - left, LANE / 2);
		}
	}
	function drawOps(stage, y) {
		var rows = data.ops, updates = [], painted = -1;
		for (var i = firstBehind(rows, OP, 4, ops[stage], ops[stage + 1], view.from); i < ops[stage + 1]; i++) {
			var at = i * OP, kind = rows[at + 1], left = xOf(rows[at + 4]);
			if (rows[at + 4] > view.to) break;
			if (kind === U) { updates.push(i); continue; }
			var right = xOf(rows[at + 4] + rows[at + 5]);
			if (right < painted + 0.3) continue; /* nothing of it would be seen */
			painted = right;
			brush.fillStyle = colours["c" + ((rows[at + 2] - 1) % 8 + 8) % 8];
			brush.fillRect(left, y, Math.max(right - left, 0.5), LANE);
			if (kind !== F && right - left > 2) {
				brush.fillStyle = tiles[kind];
				brush.fillRect(left, y, right - left, LANE);
			}
			if (right - left > 8) { /* narrower ones would be all edge */
				brush.strokeStyle = kind === F ? colours.paper : colours.on;
				brush.lineWidth = 0.8;
				brush.strokeRect(left, y, right - left, LANE);
			}
			drawLabel(at, kind, left, right, y);
		}
		var thin = updates.length * 8 > width() ? 0.5 : 2;
		updates.forEach(function (i) {
			var start = xOf(rows[i * OP + 4]), length = xOf(rows[i * OP + 4] + rows[i * OP + 5]) - start;
			brush.fillStyle = colours.ink;
			brush.fillRect(length > 0 ? start : start - thin / 2, y - 2, Math.max(length, thin), LANE + 4);
		});
	}
	function drawLabel(at, kind, left, right, y) {
		var text = label(kind, data.ops[at + 2], data.ops[at + 3]);
		if (right - left < 7 * text.length + 2) return;
		var middle = (Math.max(left, LEFT) + Math.min(right, LEFT + width())) / 2;
		var two = data.versions && right - left > 21;
		brush.fillStyle = colours.on;
		brush.textAlign = "center";
		brush.fillText(text, middle, y + (two ? LANE / 2 : LANE / 2 + 4));
		if (two) brush.fillText("v" + data.ops[at + 6], middle, y + LANE - 4);
	}
	function drawMessages() {
		var rows = data.messages, inView = rows.length / MESSAGE * (view.to - view.from) / (data.to - data.from);
		brush.globalAlpha = Math.min(1, Math.max(0.15, width() / 6 / inView)); /* many arrows would hide the rest */
		brush.strokeStyle = colours.faint;
		brush.lineWidth = 1;
		brush.beginPath();
		for (var at = 0; at < rows.length; at += MESSAGE) {
			if (rows[at + 5] < view.from || rows[at + 4] > view.to) continue;
			var down = rows[at + 1] > rows[at], right = xOf(rows[at + 5]), head = down ? -4 : 4;
			var to = yOf(rows[at + 1]) + (down ? 0 : LANE);
			brush.moveTo(xOf(rows[at + 4]), yOf(rows[at]) + (down ? LANE : 0));
			brush.lineTo(right, to);
			brush.moveTo(right - 3, to + head); brush.lineTo(right, to); brush.lineTo(right + 3, to + head);
		}
		brush.stroke();
		brush.globalAlpha = 1;
	}
	function draw() {
		asked = false;
		var ratio = window.devicePixelRatio || 1, bottom = yOf(data.stages - 1) + LANE;
		canvas.style.height = bottom + AXIS + "px";
		canvas.width = Math.round(canvas.clientWidth * ratio);
		canvas.height = Math.round((bottom + AXIS) * ratio);
		brush.setTransform(ratio, 0, 0, ratio, 0, 0);
		brush.font = "11px " + getComputedStyle(figure).fontFamily;
		brush.lineWidth = 1;
		for (var stage = 0; stage < data.stages; stage++) {
			brush.fillStyle = colours.lane;
			brush.fillRect(LEFT, yOf(stage), width(), LANE);
			brush.fillStyle = colours.ink;
			brush.textAlign = "left";
			brush.fillText("stage " + stage, 8, yOf(stage) + LANE / 2 + 4);
		}
		drawAxis(bottom);
		brush.save();
		brush.beginPath(); brush.rect(LEFT - 1, 0, width() + 2, bottom + 8); brush.clip();
		for (stage = 0; stage < data.stages; stage++) { drawWaits(stage, yOf(stage)); drawOps(stage, yOf(stage)); }
		drawMessages();
		if (chosen >= 0) {
			var at = chosen * OP, left = xOf(data.ops[at + 4]);
			brush.strokeStyle = colours.ink;
			brush.lineWidth = 2;
			brush.strokeRect(left, yOf(data.ops[at]) - 2, Math.max(xOf(data.ops[at + 4] + data.ops[at + 5]) - left, 2), LANE + 4);
		}
		brush.restore();
	}
	function later() {
		if (!asked) { asked = true; requestAnimationFrame(draw); }
	}

	/* Keep the window inside what there is, and at least a few units wide. */
	function show(from, to) {
		var span = Math.min(Math.max(to - from, least), data.to - data.from);
		from = Math.min(Math.max(from, data.from), data.to - span);
		view.from = from; view.to = from + span;
		later();
	}
	function zoom(factor, middle) {
		show(middle - (middle - view.from) * factor, middle + (view.to - middle) * factor);
	}
	function pan(share) {
		var by = (view.to - view.from) * share;
		show(view.from + by, view.to + by);
	}
	var actions = {
		"in": function () { zoom(0.5, (view.from + view.to) / 2); },
		out: function () { zoom(2, (view.from + view.to) / 2); },
		left: function () { pan(-0.25); },
		right: function () { pan(0.25); },
		all: function () { show(data.from, data.to); }
	};
	var keys = { "+": "in", "=": "in", "-": "out", ArrowLeft: "left", ArrowRight: "right", Home: "all", "0": "all" };

	function tell(x, y) {
		var stage = Math.floor((y - TOP) / PITCH), time = timeOf(x), text = "", found = -1, at;
		if (stage >= 0 && stage < data.stages && x >= LEFT && y - yOf(stage) <= LANE) {
			/* An update of no length is found within a few pixels, and goes before what it lies between. */
			var near = (view.to - view.from) * 3 / width();
			for (var i = firstBehind(data.ops, OP, 4, ops[stage], ops[stage + 1], time - near); i < ops[stage + 1]; i++) {
				at = i * OP;
				if (data.ops[at + 4] > time + near) break;
				var inside = data.ops[at + 4] <= time && time <= data.ops[at + 4] + data.ops[at + 5];
				if (data.ops[at + 1] === U || (inside && found < 0)) found = i;
			}
			if (found < 0) {
				var w = firstBehind(data.waits, WAIT, 2, waits[stage], waits[stage + 1], time);
				if (w < waits[stage + 1] && data.waits[w * WAIT + 2] <= time)
					text = "stage " + stage + " waits " + timeText(data.waits[w * WAIT + 3]) + ": " + data.causes[data.waits[w * WAIT + 1]];
			}
		}
		if (found >= 0) {
			at = found * OP;
			text = label(data.ops[at + 1], data.ops[at + 2], data.ops[at + 3]) + " \u2013 " + words[data.ops[at + 1]] + " of mini-batch " + data.ops[at + 2] +
				(data.ops[at + 3] >= 0 ? ", micro-batch " + data.ops[at + 3] : "") + ", stage " + stage +
				"; starts at " + timeText(data.ops[at + 4]) + ", takes " + timeText(data.ops[at + 5]) + "; version read " +
				data.ops[at + 6] + ", live " + data.ops[at + 7] + ", committed " + data.ops[at + 8];
		}
		about.textContent = text || about.getAttribute("data-hint");
		about.classList.toggle("tp-hint", !text);
		if (found !== chosen) { chosen = found; later(); }
	}

	live.addEventListener("click", function (event) {
		var name = event.target.getAttribute("data-do");
		if (name) actions[name]();
	});
	canvas.addEventListener("keydown", function (event) {
		if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
		actions[keys[event.key]]();
		event.preventDefault();
	});
	/* A page is scrolled with the wheel, too: it zooms what has been clicked, or with Ctrl. */
	canvas.addEventListener("wheel", function (event) {
		if (!event.ctrlKey && document.activeElement !== canvas) return;
		event.preventDefault();
		if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) pan(event.deltaX / width());
		else zoom(Math.pow(1.002, event.deltaY), timeOf(event.offsetX));
	}, { passive: false });
	var held = null;
	canvas.addEventListener("pointerdown", function (event) {
		held = { x: event.offsetX, from: view.from, to: view.to };
		canvas.setPointerCapture(event.pointerId);
	});
	canvas.addEventListener("pointermove", function (event) {
		if (held) {
			var by = (held.x - event.offsetX) * (held.to - held.from) / width();
			show(held.from + by, held.to + by);
		} else tell(event.offsetX, event.offsetY);
	});
	["pointerup", "pointercancel"].forEach(function (name) {
		canvas.addEventListener(name, function () { held = null; });
	});
	canvas.addEventListener("pointerleave", function () { tell(-1, -1); });
	window.addEventListener("resize", later);
	matchMedia("(prefers-color-scheme: dark)").addEventListener("change", function () { readColours(); later(); });

	figure.querySelector(".tp-still").hidden = true;
	live.hidden = false;
	readColours();
	tell(-1, -1);
	draw();
})();
