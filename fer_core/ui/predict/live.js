// The camera with boxes and answers over it: a frame goes out once the last one is answered, one a second at most.

const cameras = new WeakMap();

export default function ({ parentElement, data, setTriggerValue }) {
  if (!cameras.has(parentElement)) cameras.set(parentElement, open(parentElement));
  const camera = cameras.get(parentElement);
  camera.send = (frame) => setTriggerValue("frame", frame);
  if (camera.turn !== data.turn) Object.assign(camera, { turn: data.turn, waiting: false });
  parentElement.querySelector(".faces").replaceChildren(...data.faces.map(boxed));
  return () => {
    clearInterval(camera.clock);
    camera.stream?.getTracks().forEach((track) => track.stop());
    cameras.delete(parentElement);
  };
}

function open(root) {
  const camera = { waiting: false };
  const [video, frame] = [root.querySelector("video"), document.createElement("canvas")];
  const send = () => {
    if (camera.waiting || !video.videoWidth || document.hidden) return;
    Object.assign(frame, { width: 640, height: Math.round((640 * video.videoHeight) / video.videoWidth) });
    frame.getContext("2d").drawImage(video, 0, 0, frame.width, frame.height);
    camera.waiting = true;
    camera.send(frame.toDataURL("image/jpeg", 0.8));
  };
  const begin = async () => {
    const asked = { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: "user" };
    camera.stream = video.srcObject = await navigator.mediaDevices.getUserMedia({ video: asked });
    if (cameras.get(root) === camera) camera.clock = setInterval(send, 1000);
    else camera.stream.getTracks().forEach((track) => track.stop()); // left meanwhile
  };
  const none = "No camera: allow it (browsers ask for https), or switch Live off.";
  begin().catch(() => (root.querySelector("p").textContent = none));
  return camera;
}

// Mirrored as the video is: what is left in the picture is right on the screen.
function boxed({ box, said }) {
  const place = document.createElement("div");
  const [left, top, right, bottom] = box.map((share) => 100 * share);
  place.style.cssText = `right:${left}%;top:${top}%;width:${right - left}%;height:${bottom - top}%`;
  place.append(Object.assign(document.createElement("span"), { textContent: said }));
  return place;
}
