export function ImagesView(host){host.textContent='';return{update(){},destroy(){}}}
