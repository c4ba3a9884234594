"""``docker-daemon:NAME``, ``podman:NAME``: images in an engine, over the Docker API.

Nothing that the engine has already is moved: of a save only the squashed layers are kept, and a
load leaves out the layers that stay. What was loaded is looked at before it gets its name.

- `options`, `host`, `podman_host`: which engine; `address`, `connection`: how it is reached;
  `connect`: from options to a client; `podman_service`: starts a service where none listens
- `client`, `bodies`, `documents`, `stream`: questions and answers
- `source`, `description`, `save`, `saved_image`: reading; `store`: reading where an engine keeps
  them
- `destination`, `inventory`, `image_writer`, `load_body`, `load_request`: writing
- `location`, `names`: what images are called

Nothing is imported here: `options` is needed by all, HTTP and TLS only by who speaks to an engine.
"""
