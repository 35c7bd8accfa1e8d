// The camera with boxes and answers over it: a frame goes out once the last one is answered, one a second at most.

const cameras = new WeakMap();

export default function (component) {
  const { parentElement, data } = component;
  if (!cameras.has(parentElement)) cameras.set(parentElement, open(parentElement));
  const camera = cameras.get(parentElement);
  camera.send = (frame) => component.setTriggerValue("frame", frame);
  if (camera.turn !== data.turn) Object.assign(camera, { turn: data.turn, waiting: false });
  draw(parentElement, data);
  return () => {
    clearInterval(camera.clock);
    camera.stream?.getTracks().forEach((track) => track.stop());
    cameras.delete(parentElement);
  };
}

function open(root) {
  const camera = { waiting: false, turn: -1 };
  const video = root.querySelector("video");
  const said = (text) => (root.querySelector("p").textContent = text);
  const asked = { video: { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: "user" } };
  if (!navigator.mediaDevices) said("This address gives no camera: browsers ask for https. Switch Live off.");
  navigator.mediaDevices?.getUserMedia(asked).then(
    (stream) => {
      if (!cameras.has(root)) return stream.getTracks().forEach((track) => track.stop()); // left meanwhile
      camera.stream = video.srcObject = stream;
      camera.clock = setInterval(() => {
        if (camera.waiting || !video.videoWidth || document.hidden) return;
        const frame = Object.assign(document.createElement("canvas"), { width: 640 });
        frame.height = Math.round((640 * video.videoHeight) / video.videoWidth);
        frame.getContext("2d").drawImage(video, 0, 0, frame.width, frame.height);
        camera.waiting = true;
        camera.send(frame.toDataURL("image/jpeg", 0.8));
      }, 1000);
    },
    () => said("The camera is not to be had: allow it, or switch Live off and send a picture."),
  );
  return camera;
}

function draw(root, data) {
  const boxes = data.faces.map((face) => {
    const place = document.createElement("div");
    const [left, top, right, bottom] = face.box.map((share) => `${100 * share}%`);
    // Mirrored as the video is: what is right of the picture is left on the screen.
    place.style.cssText = `right:${left};top:${top};width:calc(${right} - ${left});height:calc(${bottom} - ${top})`;
    place.append(Object.assign(document.createElement("span"), { textContent: face.said }));
    return place;
  });
  root.querySelector(".faces").replaceChildren(...boxes);
}
